// Microsoft Teams: the older connector's message card, and the newer workflow's adaptive card.

import { optional, string } from '#base/config/schema.ts';
import { secretUrl } from '../route/url.ts';
import { judge, oneOfTwo, postJson, receiverKind, secretOf, template } from './kind.ts';

const webhookFields = { webhook_url: optional(secretUrl()), webhook_url_file: optional(string()) };

export const msteams = receiverKind(
  'msteams_configs',
  true,
  {
    ...webhookFields,
    title: template('{{ template "msteams.default.title" . }}'),
    summary: template('{{ template "msteams.default.summary" . }}'),
    text: template('{{ template "msteams.default.text" . }}'),
  },
  (config, global) => {
    oneOfTwo(config, 'webhook_url', 'webhook_url_file');
    return (context, http) =>
      async (_, { text, view }, signal) => {
        const body = {
          '@context': 'http://schema.org/extensions',
          type: 'MessageCard',
          title: text(config.title),
          summary: text(config.summary),
          text: text(config.text),
          themeColor: view.status === 'firing' ? '8C1A1A' : '2DC72D',
        };
        return judge(
          await postJson(http, secretOf(context, global, config.webhook_url, config.webhook_url_file), body, signal),
        );
      };
  },
);

export const msteamsv2 = receiverKind(
  'msteamsv2_configs',
  true,
  {
    ...webhookFields,
    title: template('{{ template "msteamsv2.default.title" . }}'),
    text: template('{{ template "msteamsv2.default.text" . }}'),
  },
  (config, global) => {
    oneOfTwo(config, 'webhook_url', 'webhook_url_file');
    return (context, http) =>
      async (_, { text, view }, signal) => {
        const title = {
          type: 'TextBlock',
          text: text(config.title),
          weight: 'Bolder',
          size: 'Medium',
          wrap: true,
          style: 'heading',
        };
        const content = {
          $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
          type: 'AdaptiveCard',
          version: '1.2',
          body: [
            { ...title, color: view.status === 'firing' ? 'Attention' : 'Good' },
            { type: 'TextBlock', text: text(config.text), wrap: true },
          ],
          msteams: { width: 'full' },
        };
        const card = { contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content };
        const body = { type: 'message', attachments: [card] };
        return judge(
          await postJson(http, secretOf(context, global, config.webhook_url, config.webhook_url_file), body, signal),
        );
      };
  },
);
