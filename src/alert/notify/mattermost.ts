// Mattermost: Slack-like attachments to an incoming webhook, with Mattermost's priorities and cards.

import { boolean, list, object, optional, string, withDefault } from '#base/config/schema.ts';
import { secretUrl } from '../route/url.ts';
import { atMostOne, judge, postJson, receiverKind, secretOf, template, truncateRunes } from './kind.ts';

const TEXT_RUNES = 16_383;
const field = object({ title: template(), value: template(), short: optional(boolean()) });
const attachmentFields = {
  fallback: template(),
  color: template(),
  pretext: template(),
  author_name: template(),
  author_link: template(),
  author_icon: template(),
  title: template(),
  title_link: template(),
  fields: list(field),
  thumb_url: template(),
  footer: template(),
  footer_icon: template(),
  image_url: template(),
};
const fallback = (name: string) => template(`{{ template "mattermost.default.${name}" . }}`);
const attachment = object({ ...attachmentFields, text: template() });

export const mattermost = receiverKind(
  'mattermost_configs',
  false,
  {
    webhook_url: optional(secretUrl()),
    webhook_url_file: optional(string()),
    channel: template(),
    username: fallback('username'),
    ...attachmentFields,
    text: fallback('text'),
    fallback: fallback('fallback'),
    color: fallback('color'),
    title: fallback('title'),
    title_link: fallback('titlelink'),
    icon_url: template(),
    icon_emoji: template(),
    attachments: list(attachment),
    type: template(),
    props: optional(object({ card: template() })),
    priority: optional(
      object({
        priority: template(),
        requested_ack: withDefault(boolean(), false),
        persistent_notifications: withDefault(boolean(), false),
      }),
    ),
  },
  (config, global) => {
    atMostOne(config, 'webhook_url', 'webhook_url_file');
    const own = config.webhook_url || config.webhook_url_file;
    const target = own
      ? [config.webhook_url, config.webhook_url_file]
      : [global.mattermost_webhook_url, global.mattermost_webhook_url_file];
    if (!target[0] && !target[1]) throw new Error('no Mattermost webhook URL set either inline or in a file');
    return (context, http) =>
      async (_, { text }, signal) => {
        const rendered = (raw: Record<string, unknown>) => {
          const shown: Record<string, unknown> = {};
          for (const name of Object.keys(attachmentFields)) {
            if (name !== 'fields' && raw[name]) shown[name] = text(raw[name] as string);
          }
          const fields = raw['fields'] as readonly { title: string; value: string; short: boolean | undefined }[];
          if (fields.length > 0)
            shown['fields'] = fields.map((f) => ({
              title: text(f.title),
              value: text(f.value),
              short: f.short ?? false,
            }));
          return shown;
        };
        const message = truncateRunes(text(config.text), TEXT_RUNES);
        const attachments =
          config.attachments.length > 0
            ? config.attachments.map((a) => ({ ...rendered(a), ...(a.text ? { text: text(a.text) } : {}) }))
            : [{ ...rendered(config), text: message }];
        const body = {
          ...(config.attachments.length > 0 ? { text: message } : {}),
          ...optionalTexts({
            channel: text(config.channel),
            username: text(config.username),
            icon_url: text(config.icon_url),
            icon_emoji: text(config.icon_emoji),
            type: text(config.type),
          }),
          attachments,
          ...(config.props?.card ? { props: { card: text(config.props.card) } } : {}),
          ...(config.priority?.priority
            ? { priority: priorityOf(text(config.priority.priority), config.priority) }
            : {}),
        };
        return judge(await postJson(http, secretOf(context, global, target[0], target[1]), body, signal));
      };
  },
);

const optionalTexts = (texts: Record<string, string>) =>
  Object.fromEntries(Object.entries(texts).filter(([, value]) => value !== ''));

/** What Mattermost would refuse is weakened to what it takes. */
function priorityOf(
  wanted: string,
  asked: { readonly requested_ack: boolean; readonly persistent_notifications: boolean },
) {
  const lower = wanted.toLowerCase();
  const priority = ['urgent', 'important', 'standard'].includes(lower) ? lower : 'standard';
  return {
    priority,
    requested_ack: asked.requested_ack && priority !== 'standard',
    persistent_notifications: asked.persistent_notifications && priority === 'urgent',
  };
}
