// Discord: an embed with a coloured bar.

import { optional, string } from '#base/config/schema.ts';
import { secretUrl } from '../route/url.ts';
import { judge, oneOfTwo, postJson, receiverKind, secretOf, template, truncateRunes } from './kind.ts';

const TITLE_RUNES = 256;
const DESCRIPTION_RUNES = 4096;
const CONTENT_RUNES = 2000;
const COLORS = { firing: 0x992d22, resolved: 0x2ecc71 };

export const discord = receiverKind(
  'discord_configs',
  true,
  {
    webhook_url: optional(secretUrl()),
    webhook_url_file: optional(string()),
    content: template('{{ template "discord.default.content" . }}'),
    title: template('{{ template "discord.default.title" . }}'),
    message: template('{{ template "discord.default.message" . }}'),
    username: template(),
    avatar_url: template(),
  },
  (config, global) => {
    oneOfTwo(config, 'webhook_url', 'webhook_url_file');
    return (context, http) =>
      async (_, { text, view }, signal) => {
        const body = {
          content: truncateRunes(text(config.content), CONTENT_RUNES),
          embeds: [
            {
              title: truncateRunes(text(config.title), TITLE_RUNES),
              description: truncateRunes(text(config.message), DESCRIPTION_RUNES),
              color: COLORS[view.status],
            },
          ],
          ...(config.username ? { username: config.username } : {}),
          ...(config.avatar_url ? { avatar_url: config.avatar_url } : {}),
        };
        return judge(
          await postJson(http, secretOf(context, global, config.webhook_url, config.webhook_url_file), body, signal),
        );
      };
  },
);
