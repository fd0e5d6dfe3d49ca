// incident.io: the notification as JSON, version "1", to an alert source.

import { duration, integer, optional, secret, string, withDefault } from '#base/config/schema.ts';
import { url } from '../route/url.ts';
import { atMostOne, judge, oneOfTwo, postJson, receiverKind, secretOf } from './kind.ts';
import { webhookBody } from './webhook.ts';

const MAX_BYTES = 512 * 1024;

export const incidentio = receiverKind(
  'incidentio_configs',
  true,
  {
    url: optional(url()),
    url_file: optional(string()),
    alert_source_token: optional(secret()),
    alert_source_token_file: optional(string()),
    max_alerts: withDefault(integer(0), 0),
    timeout: withDefault(duration(), 0),
  },
  (config, global) => {
    oneOfTwo(config, 'url', 'url_file');
    atMostOne(config, 'alert_source_token', 'alert_source_token_file');
    const hasToken = Boolean(config.alert_source_token || config.alert_source_token_file);
    const raw = config as unknown as { http_config?: { authorization?: unknown } };
    const hasAuthorization = Boolean(raw.http_config?.authorization ?? global.http?.authorization);
    if (hasToken && raw.http_config?.authorization) {
      throw new Error(
        'cannot specify alert_source_token or alert_source_token_file when using http_config.authorization',
      );
    }
    if (!hasToken && !hasAuthorization) {
      throw new Error(
        'at least one of alert_source_token, alert_source_token_file or http_config.authorization must be configured',
      );
    }
    return (context, http) => async (notification, rendered, signal) => {
      const make = (maxAlerts: number) => ({
        ...(webhookBody(notification, rendered, maxAlerts) as object),
        version: '1',
      });
      let body = make(config.max_alerts);
      if (Buffer.byteLength(JSON.stringify(body)) > MAX_BYTES) body = make(1);
      const token = hasToken
        ? secretOf(context, global, config.alert_source_token, config.alert_source_token_file)
        : '';
      const headers: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
      const target = secretOf(context, global, config.url, config.url_file);
      return judge(await postJson(http, target, body, signal, headers, config.timeout || undefined), [429]);
    };
  },
);
