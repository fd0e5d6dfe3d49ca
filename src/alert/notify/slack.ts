// Slack: an attachment sent to an incoming webhook or, with an app's token, through the API, where a message can also be updated.

import { boolean, duration, list, map, object, optional, secret, string, withDefault } from '#base/config/schema.ts';
import { secretUrl, url } from '../route/url.ts';
import { atMostOne, judge, postJson, receiverKind, secretOf, template, truncateRunes } from './kind.ts';
import type { Delivery } from './receiver.ts';

const TITLE_RUNES = 1024;
const API_URL = 'https://slack.com/api/chat.postMessage';

const confirmation = object({ text: string(), title: template(), ok_text: template(), dismiss_text: template() });
const action = map(
  object({
    type: string(),
    text: string(),
    url: template(),
    style: template(),
    name: template(),
    value: template(),
    confirm: optional(confirmation),
  }),
  (raw) => {
    if (raw.type === '') throw new Error('missing type in Slack action configuration');
    if (raw.text === '') throw new Error('missing text in Slack action configuration');
    if (raw.url === '' && raw.name === '') throw new Error('missing name or url in Slack action configuration');
    return raw.url === '' ? raw : { ...raw, name: '', value: '', confirm: undefined };
  },
);
const field = object({ title: string(), value: string(), short: optional(boolean()) });

const fallback = (name: string) => template(`{{ template "slack.default.${name}" . }}`);

export const slack = receiverKind(
  'slack_configs',
  false,
  {
    api_url: optional(secretUrl()),
    api_url_file: optional(string()),
    app_token: optional(secret()),
    app_token_file: optional(string()),
    app_url: optional(url()),
    channel: template(),
    username: fallback('username'),
    color: fallback('color'),
    title: fallback('title'),
    title_link: fallback('titlelink'),
    pretext: fallback('pretext'),
    text: fallback('text'),
    message_text: template(),
    fields: list(field),
    short_fields: withDefault(boolean(), false),
    footer: fallback('footer'),
    fallback: fallback('fallback'),
    callback_id: fallback('callbackid'),
    icon_emoji: fallback('iconemoji'),
    icon_url: fallback('iconurl'),
    image_url: template(),
    thumb_url: template(),
    link_names: withDefault(boolean(), false),
    mrkdwn_in: list(string()),
    actions: list(action),
    update_message: withDefault(boolean(), false),
    timeout: withDefault(duration(), 0),
  },
  (config, global) => {
    atMostOne(config, 'api_url', 'api_url_file');
    atMostOne(config, 'app_token', 'app_token_file');
    const ownUrl = Boolean(config.api_url || config.api_url_file);
    const ownToken = Boolean(config.app_token || config.app_token_file);
    if (ownUrl && ownToken) {
      throw new Error('at most one of api_url/api_url_file & app_token/app_token_file must be configured');
    }
    if (config.update_message && ownUrl && config.api_url !== API_URL) {
      throw new Error(`update_message can only be used with bot tokens. api_url must be set to ${API_URL}`);
    }
    const token = ownToken
      ? [config.app_token, config.app_token_file]
      : ownUrl
        ? [undefined, undefined]
        : [global.slack_app_token, global.slack_app_token_file];
    const target = ownUrl ? [config.api_url, config.api_url_file] : [global.slack_api_url, global.slack_api_url_file];
    const usesToken = Boolean(token[0] || token[1]);
    if (!usesToken && !target[0] && !target[1]) {
      throw new Error('no Slack API URL nor App token set either inline or in a file');
    }
    return (context, http) =>
      async (notification, { text }, signal) => {
        const attachment = {
          title: truncateRunes(text(config.title), TITLE_RUNES),
          title_link: text(config.title_link),
          pretext: text(config.pretext),
          text: text(config.text),
          fallback: text(config.fallback),
          callback_id: text(config.callback_id),
          fields: config.fields.map((f) => ({
            title: text(f.title),
            value: text(f.value),
            short: f.short ?? config.short_fields,
          })),
          actions: config.actions.map((a) =>
            withoutEmpty({
              type: text(a.type),
              text: text(a.text),
              url: text(a.url),
              style: text(a.style),
              name: text(a.name),
              value: text(a.value),
              ...(a.confirm
                ? {
                    confirm: withoutEmpty({
                      text: text(a.confirm.text),
                      title: text(a.confirm.title),
                      ok_text: text(a.confirm.ok_text),
                      dismiss_text: text(a.confirm.dismiss_text),
                    }),
                  }
                : {}),
            }),
          ),
          image_url: text(config.image_url),
          thumb_url: text(config.thumb_url),
          footer: text(config.footer),
          color: text(config.color),
          mrkdwn_in: config.mrkdwn_in.length > 0 ? config.mrkdwn_in : ['fallback', 'pretext', 'text'],
        };
        const { threadTs, channelId } = notification.previous;
        const isUpdate = config.update_message && threadTs !== undefined && channelId !== undefined;
        const body = {
          channel: isUpdate ? channelId : text(config.channel),
          ...(isUpdate ? { ts: threadTs } : {}),
          username: text(config.username),
          icon_emoji: text(config.icon_emoji),
          icon_url: text(config.icon_url),
          ...(config.link_names ? { link_names: true } : {}),
          ...(config.message_text ? { text: text(config.message_text) } : {}),
          attachments: [withoutEmpty(attachment, ALWAYS_SENT)],
        };
        const posted = usesToken
          ? (config.app_url ?? global.slack_app_url)
          : secretOf(context, global, target[0], target[1]);
        const endpoint = isUpdate ? posted.replace(/chat\.postMessage$/, 'chat.update') : posted;
        const headers: Record<string, string> = usesToken
          ? { authorization: `Bearer ${secretOf(context, global, token[0], token[1])}` }
          : {};
        const reply = await postJson(http, endpoint, withoutEmpty(body), signal, headers, config.timeout || undefined);
        const delivery = judge(reply, [429]);
        const channel = `channel ${JSON.stringify(body.channel)}`;
        if (!delivery.ok) return { ...delivery, message: `${channel}: ${delivery.message}` };
        return readReply(reply.headers.get('content-type') ?? '', reply.body.toString('utf8'), channel);
      };
  },
);

/** Slack answers 200 to much that it did not do: the body says so. */
function readReply(contentType: string, body: string, channel: string): Delivery {
  const refused = (why: string): Delivery => ({
    ok: false,
    retry: false,
    reason: 'clientError',
    message: `${channel}: ${why}`,
  });
  if (!contentType.startsWith('application/json')) {
    return body.trim() === 'ok' ? { ok: true } : refused(`received an error response from Slack: ${body}`);
  }
  const answer = JSON.parse(body) as { ok?: boolean; error?: string; ts?: string; channel?: string };
  if (!answer.ok) return refused(`error response from Slack: ${answer.error}`);
  return answer.ts && answer.channel
    ? { ok: true, data: { threadTs: answer.ts, channelId: answer.channel } }
    : { ok: true };
}

/** Of an attachment, even when empty. */
const ALWAYS_SENT = ['text', 'fallback', 'callback_id', 'footer'];

/** Empty texts and lists are left out, as Slack shows some of them. */
function withoutEmpty<T extends object>(value: T, kept: readonly string[] = []): Partial<T> {
  const isFull = ([name, item]: [string, unknown]) =>
    kept.includes(name) || (item !== '' && !(Array.isArray(item) && item.length === 0));
  return Object.fromEntries(Object.entries(value).filter(isFull)) as Partial<T>;
}
