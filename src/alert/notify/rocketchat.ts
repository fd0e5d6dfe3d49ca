// Rocket.Chat: an attachment posted as a user, by personal token.

import { boolean, list, object, optional, secret, string, withDefault } from '#base/config/schema.ts';
import { url } from '../route/url.ts';
import { atMostOne, judge, postJson, receiverKind, secretOf, template, truncateRunes } from './kind.ts';

const TITLE_RUNES = 1024;
const fallback = (name: string) => template(`{{ template "rocketchat.default.${name}" . }}`);

export const rocketchat = receiverKind(
  'rocketchat_configs',
  false,
  {
    api_url: optional(url()),
    token_id: optional(secret()),
    token_id_file: optional(string()),
    token: optional(secret()),
    token_file: optional(string()),
    channel: template(),
    color: template('{{ if eq .Status "firing" }}red{{ else }}green{{ end }}'),
    title: fallback('title'),
    title_link: fallback('titlelink'),
    text: fallback('text'),
    fields: list(object({ title: template(), value: template(), short: optional(boolean()) })),
    short_fields: withDefault(boolean(), false),
    emoji: fallback('emoji'),
    icon_url: fallback('iconurl'),
    image_url: template(),
    thumb_url: template(),
    link_names: withDefault(boolean(), false),
    actions: list(object({ type: template(), text: template(), url: template(), msg: template() })),
  },
  (config, global) => {
    atMostOne(config, 'token', 'token_file');
    atMostOne(config, 'token_id', 'token_id_file');
    const pick = (
      text: string | undefined,
      file: string | undefined,
      globalText: string | undefined,
      globalFile: string | undefined,
    ) => (text || file ? ([text, file] as const) : ([globalText, globalFile] as const));
    const token = pick(config.token, config.token_file, global.rocketchat_token, global.rocketchat_token_file);
    const user = pick(
      config.token_id,
      config.token_id_file,
      global.rocketchat_token_id,
      global.rocketchat_token_id_file,
    );
    if (!user[0] && !user[1]) throw new Error('no global Rocketchat TokenID set either inline or in a file');
    if (!token[0] && !token[1]) throw new Error('no global Rocketchat Token set either inline or in a file');
    const endpoint = `${(config.api_url ?? global.rocketchat_api_url).replace(/\/$/, '')}/api/v1/chat.postMessage`;
    return (context, http) =>
      async (_, { text }, signal) => {
        const body = {
          channel: text(config.channel),
          emoji: text(config.emoji),
          avatar: text(config.icon_url),
          ...(config.link_names ? { parseUrls: true } : {}),
          attachments: [
            {
              title: truncateRunes(text(config.title), TITLE_RUNES),
              title_link: text(config.title_link),
              text: text(config.text),
              image_url: text(config.image_url),
              thumb_url: text(config.thumb_url),
              color: text(config.color),
              fields: config.fields.map((f) => ({
                title: text(f.title),
                value: text(f.value),
                short: f.short ?? config.short_fields,
              })),
              actions: config.actions.map((a) => ({
                type: 'button',
                text: text(a.text),
                url: text(a.url),
                msg: text(a.msg),
              })),
            },
          ],
        };
        const headers = {
          'x-auth-token': secretOf(context, global, token[0], token[1]),
          'x-user-id': secretOf(context, global, user[0], user[1]),
        };
        const reply = await postJson(http, endpoint, body, signal, headers);
        const delivery = judge(reply);
        const channel = `channel ${JSON.stringify(body.channel)}`;
        if (!delivery.ok) return { ...delivery, message: `${channel}: ${delivery.message}` };
        const answer = JSON.parse(reply.body.toString('utf8')) as { success?: boolean; error?: string };
        if (answer.success) return { ok: true };
        return {
          ok: false,
          retry: false,
          reason: 'clientError',
          message: `${channel}: error response from Rocketchat: ${answer.error}`,
        };
      };
  },
);
