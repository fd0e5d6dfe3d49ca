// Webhook: the whole notification as JSON, version "4", as every consumer of Alertmanager's webhooks knows it, or a body that the
// configuration lays out.

import { parse } from 'yaml';
import { anything, duration, integer, optional, string, withDefault } from '#base/config/schema.ts';
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
    payload: optional(anything()),
  },
  (config, global) => {
    oneOfTwo(config, 'url', 'url_file');
    return (context, http) => async (notification, rendered, signal) => {
      const url = rendered.text(secretOf(context, global, config.url, config.url_file));
      const body =
        config.payload === undefined || config.payload === null
          ? webhookBody(notification, rendered, config.max_alerts)
          : renderPayload(config.payload, rendered.text);
      const timeoutMs = config.timeout || undefined;
      return judge(await postJson(http, url, body, signal, {}, timeoutMs));
    };
  },
);

/** Every text is a template; what it gives is read as YAML, so that it may become a number, a list, a mapping. */
function renderPayload(value: unknown, render: (template: string) => string): unknown {
  if (typeof value === 'string') {
    const text = render(value);
    return readYaml(text);
  }
  if (Array.isArray(value)) return value.map((one) => renderPayload(one, render));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, one]) => [render(name), renderPayload(one, render)] as const);
  return Object.fromEntries(entries.sort(byName));
}

const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : a > b ? 1 : 0;

/** The text itself where it is no YAML or only more text. */
function readYaml(text: string): unknown {
  try {
    const value: unknown = parse(text, { version: '1.1', logLevel: 'error' });
    return typeof value === 'string' || value instanceof Date ? text : sorted(value ?? null);
  } catch {
    return text;
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([name, one]) => [name, sorted(one)] as const)
      .sort(byName),
  );
}

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
