// WeChat Work application messages: an access token is fetched and kept for its life time, then messages go to users,
// parties or tags.

import { oneOf, optional, secret, string, withDefault } from '#base/config/schema.ts';
import { url } from '../route/url.ts';
import { atMostOne, getUrl, judge, postJson, receiverKind, secretOf, template } from './kind.ts';
import type { Delivery } from './receiver.ts';

const TOKEN_LIFE_MS = 2 * 3_600_000;
/** The service's code for a token that is no longer good. */
const TOKEN_EXPIRED = 42_001;

export const wechat = receiverKind(
  'wechat_configs',
  false,
  {
    api_secret: optional(secret()),
    api_secret_file: optional(string()),
    corp_id: optional(string()),
    message: template('{{ template "wechat.default.message" . }}'),
    api_url: optional(url()),
    to_user: template('{{ template "wechat.default.to_user" . }}'),
    to_party: template('{{ template "wechat.default.to_party" . }}'),
    to_tag: template('{{ template "wechat.default.to_tag" . }}'),
    agent_id: template('{{ template "wechat.default.agent_id" . }}'),
    message_type: withDefault(oneOf('text', 'markdown', ''), 'text'),
  },
  (config, global) => {
    atMostOne(config, 'api_secret', 'api_secret_file');
    const own = config.api_secret || config.api_secret_file;
    const key = own
      ? [config.api_secret, config.api_secret_file]
      : [global.wechat_api_secret, global.wechat_api_secret_file];
    if (!key[0] && !key[1]) throw new Error('no global Wechat Api Secret set either inline or in a file');
    const corpId = config.corp_id || global.wechat_api_corp_id;
    if (!corpId) throw new Error('no global Wechat CorpID set');
    const base = (config.api_url ?? global.wechat_api_url).replace(/\/$/, '');
    return (context, http) => {
      let token = '';
      let tokenAt = 0;
      return async (_, { text }, signal) => {
        const now = context.clock.monotonic();
        if (token === '' || now - tokenAt > TOKEN_LIFE_MS) {
          const query = new URLSearchParams({
            corpsecret: text(secretOf(context, global, key[0], key[1])),
            corpid: text(corpId),
          });
          const reply = await getUrl(http, `${base}/gettoken?${query}`, signal);
          const answer = JSON.parse(reply.body.toString('utf8')) as { access_token?: string };
          if (!answer.access_token) {
            return {
              ok: false,
              retry: false,
              reason: 'clientError',
              message: `invalid APISecret for CorpID: ${corpId}`,
            };
          }
          token = answer.access_token;
          tokenAt = now;
        }
        const type = config.message_type || 'text';
        const body = {
          touser: text(config.to_user),
          toparty: text(config.to_party),
          totag: text(config.to_tag),
          agentid: text(config.agent_id),
          safe: '0',
          msgtype: type,
          [type]: { content: text(config.message) },
        };
        const reply = await postJson(
          http,
          `${base}/message/send?access_token=${encodeURIComponent(token)}`,
          body,
          signal,
        );
        if (reply.status !== 200) return { ...judge(reply), retry: true } as Delivery;
        const answer = JSON.parse(reply.body.toString('utf8')) as { errcode: number; errmsg: string };
        if (answer.errcode === 0) return { ok: true };
        const isExpired = answer.errcode === TOKEN_EXPIRED;
        if (isExpired) token = '';
        return { ok: false, retry: isExpired, reason: 'clientError', message: answer.errmsg };
      };
    };
  },
);
