// Telegram: a bot's message to a chat, in HTML unless another parse mode is set.

import { boolean, integer, oneOf, optional, secret, string, withDefault } from '#base/config/schema.ts';
import { url } from '../route/url.ts';
import { atMostOne, judge, postJson, receiverKind, secretOf, template, truncateRunes } from './kind.ts';

const MESSAGE_RUNES = 4096;
const TOO_LONG =
  'The notification could not be sent: the message is longer than Telegram allows. Please check the template that produces it.';

export const telegram = receiverKind(
  'telegram_configs',
  true,
  {
    api_url: optional(url()),
    bot_token: optional(secret()),
    bot_token_file: optional(string()),
    chat_id: withDefault(integer(), 0),
    chat_id_file: optional(string()),
    message_thread_id: withDefault(integer(), 0),
    message: template('{{ template "telegram.default.message" . }}'),
    disable_notifications: withDefault(boolean(), false),
    parse_mode: withDefault(oneOf('Markdown', 'MarkdownV2', 'HTML', ''), 'HTML'),
  },
  (config, global) => {
    atMostOne(config, 'bot_token', 'bot_token_file');
    atMostOne(config, 'chat_id', 'chat_id_file');
    if (!config.chat_id && !config.chat_id_file) throw new Error('missing chat_id or chat_id_file on telegram_config');
    const ownToken = config.bot_token || config.bot_token_file;
    const token = ownToken
      ? [config.bot_token, config.bot_token_file]
      : [global.telegram_bot_token, global.telegram_bot_token_file];
    if (!token[0] && !token[1]) throw new Error('missing bot_token or bot_token_file on telegram_config');
    const base = (config.api_url ?? global.telegram_api_url).replace(/\/$/, '');
    return (context, http) =>
      async (_, { text, html }, signal) => {
        const isHtml = config.parse_mode === 'HTML';
        let message = isHtml ? html(config.message) : truncateRunes(text(config.message), MESSAGE_RUNES);
        // Cutting HTML could leave a tag open, which Telegram refuses.
        if (isHtml && [...message].length > MESSAGE_RUNES) message = TOO_LONG;
        const chat = config.chat_id || Number(secretOf(context, global, undefined, config.chat_id_file));
        if (!Number.isInteger(chat)) throw new Error(`cannot read a chat id from ${config.chat_id_file}`);
        const body = {
          chat_id: String(chat),
          text: message,
          disable_web_page_preview: 'true',
          ...(config.disable_notifications ? { disable_notification: true } : {}),
          ...(config.message_thread_id ? { message_thread_id: config.message_thread_id } : {}),
          ...(config.parse_mode ? { parse_mode: config.parse_mode } : {}),
        };
        const target = `${base}/bot${secretOf(context, global, token[0], token[1])}/sendMessage`;
        // Telegram asks to come back later with 429; upstream tries again whatever went wrong.
        const delivery = judge(await postJson(http, target, body, signal), [429]);
        return delivery.ok ? delivery : { ...delivery, retry: true };
      };
  },
);
