// Webhook: the whole notification as JSON, version "4", as every consumer of Alertmanager's webhooks knows it.

import { duration, integer, optional, string, withDefault } from '#base/config/schema.ts';
import { labelsToRecord } from '#model/labels.ts';
import { templateUrl } from '../route/url.ts';
import { judge, oneOfTwo, postJson, receiverKind, secretOf } from './kind.ts';
import type { Notification } from './receiver.ts';
import type { AlertView, Rendered } from './render.ts';

export const webhook = receiverKind(
  'webhook_configs',
  true,
  {
    url: optional(templateUrl()),
    url_file: optional(string()),
    max_alerts: withDefault(integer(0), 0),
    timeout: withDefault(duration(), 0),
  },
  (config, global) => {
    oneOfTwo(config, 'url', 'url_file');
    return (context, http) => async (notification, rendered, signal) => {
      const url = rendered.text(secretOf(context, global, config.url, config.url_file));
      const body = webhookBody(notification, rendered, config.max_alerts);
      const timeoutMs = config.timeout || undefined;
      return judge(await postJson(http, url, body, signal, {}, timeoutMs));
    };
  },
);

export function webhookBody(notification: Notification, { view }: Rendered, maxAlerts: number): unknown {
  const kept = maxAlerts > 0 ? view.alerts.slice(0, maxAlerts) : view.alerts;
  return {
    receiver: notification.receiver,
    status: view.status,
    alerts: kept.map(alertBody),
    groupLabels: labelsToRecord(view.groupLabels),
    commonLabels: labelsToRecord(view.commonLabels),
    commonAnnotations: labelsToRecord(view.commonAnnotations),
    externalURL: view.externalUrl,
    version: '4',
    groupKey: notification.groupKey,
    truncatedAlerts: view.alerts.length - kept.length,
    ...(Object.keys(notification.routeLabels).length > 0 ? { routeLabels: notification.routeLabels } : {}),
  };
}

/** Without zeros at the end of the fraction. */
const goTime = (ms: number): string => new Date(ms).toISOString().replace(/\.?0+Z$/, 'Z');

export const alertBody = (alert: AlertView): unknown => ({
  status: alert.status,
  labels: labelsToRecord(alert.labels),
  annotations: labelsToRecord(alert.annotations),
  startsAt: goTime(alert.startsAt),
  endsAt: alert.endsAt === 0 ? '0001-01-01T00:00:00Z' : goTime(alert.endsAt),
  generatorURL: alert.generatorUrl,
  fingerprint: alert.fingerprint,
});
