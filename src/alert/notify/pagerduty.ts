// PagerDuty: Events API v2 with a routing key, or the older API with a service key.

import {
  anything,
  duration,
  list,
  object,
  optional,
  record,
  secret,
  string,
  withDefault,
} from '#base/config/schema.ts';
import { url } from '../route/url.ts';
import { atMostOne, groupHash, judge, postJson, receiverKind, secretOf, template, truncateRunes } from './kind.ts';
import type { Delivery } from './receiver.ts';

const MAX_EVENT_BYTES = 512_000;
const SUMMARY_RUNES = 1024;
const OLD_URL = 'https://events.pagerduty.com/generic/2010-04-15/create_event.json';
const DEFAULT_DETAILS = {
  firing: '{{ .Alerts.Firing | toJson }}',
  resolved: '{{ .Alerts.Resolved | toJson }}',
  num_firing: '{{ .Alerts.Firing | len }}',
  num_resolved: '{{ .Alerts.Resolved | len }}',
};

export const pagerduty = receiverKind(
  'pagerduty_configs',
  true,
  {
    service_key: optional(secret()),
    service_key_file: optional(string()),
    routing_key: optional(secret()),
    routing_key_file: optional(string()),
    url: optional(url()),
    /** Where the older API is; PagerDuty's own unless said otherwise. */
    service_url: withDefault(url(), OLD_URL),
    client: template('{{ template "pagerduty.default.client" . }}'),
    client_url: template('{{ template "pagerduty.default.clientURL" . }}'),
    description: template('{{ template "pagerduty.default.description" . }}'),
    details: record(anything()),
    images: list(object({ src: template(), alt: template(), href: template() })),
    links: list(object({ href: template(), text: template() })),
    source: template(),
    severity: template(),
    class: template(),
    component: template(),
    group: template(),
    timeout: withDefault(duration(), 0),
  },
  (config, global) => {
    atMostOne(config, 'routing_key', 'routing_key_file');
    atMostOne(config, 'service_key', 'service_key_file');
    const isOld = Boolean(config.service_key || config.service_key_file);
    if (!isOld && !config.routing_key && !config.routing_key_file) {
      throw new Error('missing service or routing key in PagerDuty config');
    }
    const details = { ...DEFAULT_DETAILS, ...config.details };
    return (context, http) =>
      async (notification, { text, view }, signal) => {
        const action = view.status === 'firing' ? 'trigger' : 'resolve';
        const shownDetails = render(details, text) as Record<string, unknown>;
        const summary = truncateRunes(text(config.description), SUMMARY_RUNES);
        const client = { client: text(config.client), client_url: text(config.client_url) };
        const timeoutMs = config.timeout || undefined;
        if (isOld) {
          const key = text(secretOf(context, global, config.service_key, config.service_key_file));
          if (key === '') throw new Error('service key cannot be empty');
          const make = (custom: Record<string, unknown>) => ({
            service_key: key,
            event_type: action,
            incident_key: groupHash(notification),
            description: summary,
            details: custom,
            ...(action === 'trigger' ? client : {}),
          });
          return explained(
            await postJson(http, config.service_url, fitting(make, shownDetails), signal, {}, timeoutMs),
            [403],
          );
        }
        const key = text(secretOf(context, global, config.routing_key, config.routing_key_file));
        if (key === '') throw new Error('routing key cannot be empty');
        const images = config.images
          .map((i) => ({ src: text(i.src), alt: text(i.alt), href: text(i.href) }))
          .filter((i) => i.src);
        const links = config.links.map((l) => ({ href: text(l.href), text: text(l.text) })).filter((l) => l.href);
        const make = (custom: Record<string, unknown>) => ({
          routing_key: key,
          dedup_key: groupHash(notification),
          event_action: action,
          ...client,
          payload: {
            summary,
            source: text(config.source || config.client),
            severity: text(config.severity) || 'error',
            custom_details: custom,
            class: text(config.class),
            component: text(config.component),
            group: text(config.group),
          },
          ...(images.length > 0 ? { images } : {}),
          ...(links.length > 0 ? { links } : {}),
        });
        const target = config.url ?? global.pagerduty_url;
        return explained(await postJson(http, target, fitting(make, shownDetails), signal, {}, timeoutMs), [429]);
      };
  },
);

/** Without the custom details when the event would be larger than PagerDuty takes. */
function fitting(make: (details: Record<string, unknown>) => object, details: Record<string, unknown>): object {
  const whole = make(details);
  if (Buffer.byteLength(JSON.stringify(whole)) <= MAX_EVENT_BYTES) return whole;
  return make({
    error: 'Custom details have been removed because the original event exceeds the maximum size of 512KB',
  });
}

/** Texts in nested details are templates; one that renders to JSON stays structured. */
function render(value: unknown, text: (template: string) => string): unknown {
  if (typeof value === 'string') {
    const shown = text(value);
    if (!/^\s*[[{]/.test(shown)) return shown;
    try {
      return JSON.parse(shown);
    } catch {
      return shown;
    }
  }
  if (Array.isArray(value)) return value.map((item) => render(item, text));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, render(item, text)]));
}

function explained(reply: Parameters<typeof judge>[0], retryCodes: readonly number[]): Delivery {
  let details = reply.body.toString('utf8');
  try {
    const answer = JSON.parse(details) as { status?: string; message?: string; errors?: readonly string[] };
    if (answer.message) details = `${answer.message}${answer.errors?.length ? `: ${answer.errors.join(',')}` : ''}`;
  } catch {
    // Not JSON: the text itself is what there is to say.
  }
  return judge(reply, retryCodes, details);
}
