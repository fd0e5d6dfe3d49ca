// What happens to alerts and silences as events, in the JSON that Alertmanager's event recorder writes: field names in camel case,
// numbers of 64 bits as text, empty fields left out.

import { createHash } from 'node:crypto';
import type { Labels } from '#model/labels.ts';
import { formatMatcher, type Matcher, type MatchType } from '#model/matcher.ts';
import type { InhibitSpec } from '../inhibit/inhibit.ts';
import type { NotifyReason } from '../notify/log.ts';
import type { Silence } from '../silence/silences.ts';
import { isResolved, type KnownAlert } from '../store.ts';

/** What an event tells of a group. */
export type EventGroup = { readonly key: string; readonly labels: Labels; readonly receiver: string };

export type AlertEvent =
  | { readonly type: 'alertmanager_startup_event'; readonly version: string }
  | { readonly type: 'alertmanager_shutdown_event' }
  | { readonly type: 'alert_created'; readonly alert: KnownAlert }
  | { readonly type: 'alert_grouped' | 'alert_resolved'; readonly alert: KnownAlert; readonly group: EventGroup }
  | {
      readonly type: 'notification';
      readonly group: EventGroup;
      readonly alerts: readonly KnownAlert[];
      readonly firing: readonly string[];
      readonly resolved: readonly string[];
      readonly repeatIntervalMs: number;
      readonly reason: NotifyReason;
      readonly integration: { readonly kind: string; readonly index: number };
    }
  | { readonly type: 'silence_created' | 'silence_updated'; readonly silence: Silence }
  | { readonly type: 'silence_muted_alert'; readonly silence: Silence; readonly alert: KnownAlert }
  | {
      readonly type: 'inhibition_muted_alert';
      readonly rule: InhibitSpec;
      readonly by: string;
      readonly alert: KnownAlert;
    };

export type EventType = AlertEvent['type'];

/** One line of JSON. */
export function encodeEvent(event: AlertEvent, at: number, instance: string, clusterPosition: number): string {
  const name = event.type.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const whole = {
    '@timestamp': new Date(at).toISOString(),
    instance,
    data: { [name]: withoutEmpty(dataOf(event, at)) },
    clusterPosition,
  };
  return JSON.stringify(withoutEmpty(whole));
}

function dataOf(event: AlertEvent, at: number): object {
  switch (event.type) {
    case 'alertmanager_startup_event':
      return { version: event.version };
    case 'alertmanager_shutdown_event':
      return {};
    case 'alert_created':
      return { alert: alertOf(event.alert, at) };
    case 'alert_grouped':
    case 'alert_resolved':
      return { alert: groupedAlert(event.alert, at), groupInfo: groupOf(event.group) };
    case 'notification':
      return {
        alerts: event.alerts.map((alert) => groupedAlert(alert, at)),
        firingAlerts: event.firing.map((id) => ({ hash: number64(id) })),
        resolvedAlerts: event.resolved.map((id) => ({ hash: number64(id) })),
        groupInfo: groupOf(event.group),
        repeatInterval: `${event.repeatIntervalMs / 1000}s`,
        reason: `NOTIFY_REASON_${event.reason.toUpperCase().replaceAll(' ', '_')}`,
        integration: withoutEmpty({
          name: event.integration.kind,
          index: event.integration.index === 0 ? '' : String(event.integration.index),
        }),
      };
    case 'silence_created':
    case 'silence_updated':
      return { silence: silenceOf(event.silence) };
    case 'silence_muted_alert':
      return { silence: silenceOf(event.silence), mutedAlert: mutedAlert(event.alert) };
    case 'inhibition_muted_alert':
      return {
        inhibitRules: [
          withoutEmpty({
            sourceMatchers: event.rule.source.map(matcherOf),
            targetMatchers: event.rule.target.map(matcherOf),
            equalLabels: [...event.rule.equal].sort(),
            name: event.rule.name,
          }),
        ],
        mutedAlert: mutedAlert(event.alert),
        inhibitingFingerprints: [number64(event.by)],
      };
  }
}

/** Fingerprints are numbers there. */
const number64 = (fingerprint: string): string => BigInt(`0x${fingerprint}`).toString();

function labelSet(labels: Labels): object {
  const pairs: object[] = [];
  for (let i = 0; i < labels.length; i += 2) pairs.push(withoutEmpty({ key: labels[i]!, value: labels[i + 1]! }));
  return withoutEmpty({ labels: pairs });
}

const alertOf = (alert: KnownAlert, at: number): object =>
  withoutEmpty({
    fingerprint: number64(alert.fingerprint),
    name: alert.labels[alert.labels.indexOf('alertname') + 1] ?? '',
    labels: labelSet(alert.labels),
    annotations: labelSet(alert.annotations),
    startsAt: new Date(alert.startsAt).toISOString(),
    endsAt: alert.endsAt === 0 ? '' : new Date(alert.endsAt).toISOString(),
    resolved: isResolved(alert, at),
  });

const groupedAlert = (alert: KnownAlert, at: number): object => ({
  hash: number64(alert.fingerprint),
  details: alertOf(alert, at),
});

const mutedAlert = (alert: KnownAlert): object => ({
  labels: labelSet(alert.labels),
  fingerprint: number64(alert.fingerprint),
});

const groupOf = ({ key, labels, receiver }: EventGroup): object => ({
  groupKey: key,
  groupLabels: labelSet(labels),
  groupId: createHash('sha256').update(key).digest('hex'),
  receiverName: receiver,
});

const MATCHER_TYPES: Readonly<Record<MatchType, string>> = {
  '=': 'TYPE_EQUAL',
  '!=': 'TYPE_NOT_EQUAL',
  '=~': 'TYPE_REGEXP',
  '!~': 'TYPE_NOT_REGEXP',
};

const matcherOf = (matcher: Matcher): object =>
  withoutEmpty({
    type: MATCHER_TYPES[matcher.type],
    name: matcher.name,
    pattern: matcher.value,
    rendered: formatMatcher(matcher),
  });

const silenceOf = (silence: Silence): object => {
  const matchers = silence.matchers.map(matcherOf);
  return withoutEmpty({
    id: silence.id,
    matchers,
    annotations: labelSet(Object.entries(silence.annotations ?? {}).flat()),
    startsAt: new Date(silence.startsAt).toISOString(),
    endsAt: new Date(silence.endsAt).toISOString(),
    updatedAt: new Date(silence.updatedAt).toISOString(),
    createdBy: silence.createdBy,
    comment: silence.comment,
    matcherSets: [{ matchers }],
  });
};

function withoutEmpty(value: object): object {
  const isFull = ([, field]: [string, unknown]) =>
    field !== '' && field !== 0 && field !== false && !(Array.isArray(field) && field.length === 0);
  return Object.fromEntries(Object.entries(value).filter(isFull));
}
