// Bots in group chats of WeCom, DingTalk and Feishu: each group gives out a key, and a message is one POST. Their answers are
// 200 whatever happened: a code in the body tells.

import { createHmac } from 'node:crypto';
import { boolean, list, oneOf, optional, secret, string, withDefault } from '#base/config/schema.ts';
import type { HttpReply } from '#clients/http/client.ts';
import { url } from '../route/url.ts';
import { judge, oneOfTwo, postJson, receiverKind, secretOf, template, truncateBytes } from './kind.ts';
import type { Delivery } from './receiver.ts';

const WECOM_TEXT_BYTES = 2048;
const WECOM_MARKDOWN_BYTES = 4096;
const DINGTALK_BYTES = 20_000;
const FEISHU_BYTES = 20_000;

/** Codes of "too many messages": those are tried again. */
const RATE_LIMITED = new Set([45_009, 130_101, 410_100, 11_232]);

export function botAnswer(reply: HttpReply, codeField: string, messageField: string): Delivery {
  const delivery = judge(reply, [429]);
  if (!delivery.ok) return delivery;
  let answer: Record<string, unknown>;
  try {
    answer = JSON.parse(reply.body.toString('utf8')) as Record<string, unknown>;
  } catch {
    return {
      ok: false,
      retry: true,
      reason: 'other',
      message: `cannot read the answer: ${reply.body.toString('utf8').slice(0, 200)}`,
    };
  }
  const code = Number(answer[codeField] ?? 0);
  if (code === 0) return { ok: true };
  const isLimit = RATE_LIMITED.has(code);
  return {
    ok: false,
    retry: isLimit,
    reason: isLimit ? 'rateLimited' : 'clientError',
    message: `${code}: ${answer[messageField]}`,
  };
}

export const wecom = receiverKind(
  'wecom_configs',
  true,
  {
    api_url: optional(url()),
    key: optional(secret()),
    key_file: optional(string()),
    message: template('{{ template "wecom.default.message" . }}'),
    message_type: withDefault(oneOf('text', 'markdown'), 'text'),
    mentioned_list: list(string()),
    mentioned_mobile_list: list(string()),
  },
  (config, global) => {
    oneOfTwo(config, 'key', 'key_file');
    return (context, http) =>
      async (_, { text }, signal) => {
        const key = secretOf(context, global, config.key, config.key_file);
        const type = config.message_type;
        const content = truncateBytes(text(config.message), type === 'text' ? WECOM_TEXT_BYTES : WECOM_MARKDOWN_BYTES);
        const mentions =
          type === 'text'
            ? { mentioned_list: config.mentioned_list, mentioned_mobile_list: config.mentioned_mobile_list }
            : {};
        const target = `${config.api_url ?? global.wecom_api_url}?key=${encodeURIComponent(key)}`;
        return botAnswer(
          await postJson(http, target, { msgtype: type, [type]: { content, ...mentions } }, signal),
          'errcode',
          'errmsg',
        );
      };
  },
);

export const dingtalk = receiverKind(
  'dingtalk_configs',
  true,
  {
    api_url: optional(url()),
    access_token: optional(secret()),
    access_token_file: optional(string()),
    /** Set when the bot asks for signed requests. */
    secret: optional(secret()),
    secret_file: optional(string()),
    title: template('{{ template "dingtalk.default.title" . }}'),
    message: template('{{ template "dingtalk.default.message" . }}'),
    at_mobiles: list(string()),
    at_user_ids: list(string()),
    at_all: withDefault(boolean(), false),
  },
  (config, global) => {
    oneOfTwo(config, 'access_token', 'access_token_file');
    return (context, http) =>
      async (_, { text }, signal) => {
        const query = new URLSearchParams({
          access_token: secretOf(context, global, config.access_token, config.access_token_file),
        });
        const signing = secretOf(context, global, config.secret, config.secret_file);
        if (signing !== '') {
          const timestamp = String(Math.floor(context.clock.now()));
          query.set('timestamp', timestamp);
          query.set('sign', createHmac('sha256', signing).update(`${timestamp}\n${signing}`).digest('base64'));
        }
        const body = {
          msgtype: 'markdown',
          markdown: { title: text(config.title), text: truncateBytes(text(config.message), DINGTALK_BYTES) },
          at: { atMobiles: config.at_mobiles, atUserIds: config.at_user_ids, isAtAll: config.at_all },
        };
        return botAnswer(
          await postJson(http, `${config.api_url ?? global.dingtalk_api_url}?${query}`, body, signal),
          'errcode',
          'errmsg',
        );
      };
  },
);

export const feishu = receiverKind(
  'feishu_configs',
  true,
  {
    api_url: optional(url()),
    key: optional(secret()),
    key_file: optional(string()),
    secret: optional(secret()),
    secret_file: optional(string()),
    title: template('{{ template "feishu.default.title" . }}'),
    message: template('{{ template "feishu.default.message" . }}'),
  },
  (config, global) => {
    oneOfTwo(config, 'key', 'key_file');
    return (context, http) =>
      async (_, { text, view }, signal) => {
        const signing = secretOf(context, global, config.secret, config.secret_file);
        const timestamp = String(Math.floor(context.clock.now() / 1000));
        const signature =
          signing === ''
            ? {}
            : { timestamp, sign: createHmac('sha256', `${timestamp}\n${signing}`).update('').digest('base64') };
        const card = {
          config: { wide_screen_mode: true },
          header: {
            title: { tag: 'plain_text', content: text(config.title) },
            template: view.status === 'firing' ? 'red' : 'green',
          },
          elements: [
            { tag: 'div', text: { tag: 'lark_md', content: truncateBytes(text(config.message), FEISHU_BYTES) } },
          ],
        };
        const base = (config.api_url ?? global.feishu_api_url).replace(/\/$/, '');
        const target = `${base}/${encodeURIComponent(secretOf(context, global, config.key, config.key_file))}`;
        return botAnswer(
          await postJson(http, target, { ...signature, msg_type: 'interactive', card }, signal),
          'code',
          'msg',
        );
      };
  },
);
