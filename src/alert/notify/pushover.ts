// Pushover: everything in the query of a POST, as its API takes it.

import { boolean, duration, optional, secret, string, withDefault } from '#base/config/schema.ts';
import { url } from '../route/url.ts';
import { judge, oneOfTwo, receiverKind, secretOf, template, truncateRunes } from './kind.ts';

const TITLE_RUNES = 250;
const MESSAGE_RUNES = 1024;
const URL_RUNES = 512;
const REPLY_BYTES = 1 << 20;

export const pushover = receiverKind(
  'pushover_configs',
  true,
  {
    api_url: withDefault(url(), 'https://api.pushover.net/1/messages.json'),
    user_key: optional(secret()),
    user_key_file: optional(string()),
    token: optional(secret()),
    token_file: optional(string()),
    title: template('{{ template "pushover.default.title" . }}'),
    message: template('{{ template "pushover.default.message" . }}'),
    url: template('{{ template "pushover.default.url" . }}'),
    url_title: template(),
    device: template(),
    sound: template(),
    priority: template('{{ if eq .Status "firing" }}2{{ else }}0{{ end }}'),
    retry: withDefault(duration(), 60_000),
    expire: withDefault(duration(), 3_600_000),
    ttl: withDefault(duration(), 0),
    html: withDefault(boolean(), false),
    monospace: withDefault(boolean(), false),
  },
  (config, global) => {
    oneOfTwo(config, 'user_key', 'user_key_file');
    oneOfTwo(config, 'token', 'token_file');
    if (config.html && config.monospace) throw new Error('at most one of monospace & html must be configured');
    return (context, http) =>
      async (_, { text, html }, signal) => {
        const message = truncateRunes(config.html ? html(config.message) : text(config.message), MESSAGE_RUNES).trim();
        const parameters = new URLSearchParams({
          token: text(secretOf(context, global, config.token, config.token_file)),
          user: text(secretOf(context, global, config.user_key, config.user_key_file)),
          title: truncateRunes(text(config.title), TITLE_RUNES),
          ...(config.html ? { html: '1' } : {}),
          ...(config.monospace ? { monospace: '1' } : {}),
          message: message || '(no details)',
          url: truncateRunes(text(config.url), URL_RUNES),
          url_title: text(config.url_title),
          priority: text(config.priority),
          retry: String(Math.floor(config.retry / 1000)),
          expire: String(Math.floor(config.expire / 1000)),
          device: text(config.device),
          sound: text(config.sound),
          ...(config.ttl > 0 ? { ttl: String(Math.floor(config.ttl / 1000)) } : {}),
        });
        const call = {
          url: `${config.api_url}?${parameters}`,
          method: 'POST',
          headers: { 'content-type': 'text/plain' },
          body: '',
        };
        return judge(await http.call({ ...call, timeoutMs: 60_000, maxBodyBytes: REPLY_BYTES, signal }));
      };
  },
);
