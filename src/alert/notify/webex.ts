// Webex: a Markdown message to a room.

import { optional } from '#base/config/schema.ts';
import { url } from '../route/url.ts';
import { judge, postJson, receiverKind, template, truncateBytes } from './kind.ts';

const MESSAGE_BYTES = 7439;

export const webex = receiverKind(
  'webex_configs',
  true,
  { api_url: optional(url()), message: template('{{ template "webex.default.message" . }}'), room_id: template() },
  (config, global) => {
    if (config.room_id === '') throw new Error('missing room_id on webex_config');
    const raw = config as unknown as { http_config?: { authorization?: unknown; bearer_token?: unknown } };
    if (!raw.http_config?.authorization && !raw.http_config?.bearer_token) {
      throw new Error('missing webex_configs.http_config.authorization');
    }
    return (_context, http) =>
      async (_, { text }, signal) => {
        const body = { markdown: truncateBytes(text(config.message), MESSAGE_BYTES), roomId: text(config.room_id) };
        return judge(await postJson(http, config.api_url ?? global.webex_api_url, body, signal));
      };
  },
);
