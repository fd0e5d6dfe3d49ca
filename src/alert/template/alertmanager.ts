// The functions and the data of notification templates: `Data`, `Alerts`, `KV` and their methods as the documentation
// of Alertmanager describes them.

import type { Clock } from '#base/clock.ts';
import type { Labels } from '#model/labels.ts';
import { type FunctionTable, queryUnescape } from './builtins.ts';
import { goJson } from './json.ts';
import { humanizeDuration } from './number-functions.ts';
import { matchText, replaceText, titleCase } from './text-functions.ts';
import { GoDuration, GoTime, parseTime } from './time.ts';
import { type GoFunction, GoMap, GoSlice, GoStruct, SafeText, sliceItems, stringSlice, type Value } from './value.ts';

const ANY = 'interface {}';
const ALERT_NAME = 'alertname';

export type NotifiedAlert = {
  readonly status: 'firing' | 'resolved';
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly startsAt: number;
  /** 0: never. */
  readonly endsAt: number;
  readonly generatorUrl: string;
  readonly fingerprint: string;
  /** The receiver has not been told of it in this state. */
  readonly changed: boolean;
  readonly acknowledgement: { readonly by: string; readonly comment: string } | undefined;
};

export type Notification = {
  readonly receiver: string;
  readonly status: 'firing' | 'resolved';
  readonly reason: string;
  readonly alerts: readonly NotifiedAlert[];
  readonly groupLabels: Labels;
  readonly commonLabels: Labels;
  readonly commonAnnotations: Labels;
  readonly routeLabels: Labels;
  readonly externalUrl: string;
};

const getter = (call: () => Value): GoFunction => ({ params: [], call });

function strings(items: readonly string[]): GoSlice {
  const join: GoFunction = { params: ['string'], call: (separator) => items.join(separator as string) };
  return new GoSlice('template.Strings', items, { Join: join }, ['[]string']);
}

type Pair = readonly [name: string, value: string];

function pairsValue(pairs: readonly Pair[]): GoSlice {
  return new GoSlice(
    'template.Pairs',
    pairs.map(([Name, Value]) => new GoStruct('template.Pair', { Name, Value })),
    {
      Names: getter(() => strings(pairs.map(([name]) => name))),
      Values: getter(() => strings(pairs.map(([, value]) => value))),
      String: getter(() => formatPairs(pairs)),
    },
    [],
    formatPairs(pairs),
  );
}

const formatPairs = (pairs: readonly Pair[]): string => pairs.map(([name, value]) => `${name}=${value}`).join(', ');

/** A KV: SortedPairs puts the alert's name first. */
export function kv(labels: Labels): GoMap {
  const all: Pair[] = [];
  for (let i = 0; i < labels.length; i += 2) all.push([labels[i]!, labels[i + 1]!]);
  const sorted = [...all.filter(([name]) => name === ALERT_NAME), ...all.filter(([name]) => name !== ALERT_NAME)];
  const remove: GoFunction = {
    params: ['[]string'],
    call: (names) => {
      const gone = new Set(sliceItems(names));
      return kv(all.filter(([name]) => !gone.has(name)).flat());
    },
  };
  return new GoMap(
    'template.KV',
    new Map(all),
    '',
    {
      SortedPairs: getter(() => pairsValue(sorted)),
      Remove: remove,
      Names: getter(() => strings(sorted.map(([name]) => name))),
      Values: getter(() => strings(sorted.map(([, value]) => value))),
      String: getter(() => formatPairs(sorted)),
    },
    () => formatPairs(sorted),
  );
}

const ALERT_JSON = {
  Status: 'status',
  Labels: 'labels',
  Annotations: 'annotations',
  StartsAt: 'startsAt',
  EndsAt: 'endsAt',
  GeneratorURL: 'generatorURL',
  Fingerprint: 'fingerprint',
};

function alertValue(alert: NotifiedAlert): GoStruct {
  return new GoStruct(
    'template.Alert',
    {
      Status: alert.status,
      Labels: kv(alert.labels),
      Annotations: kv(alert.annotations),
      StartsAt: new GoTime(alert.startsAt),
      EndsAt: alert.endsAt === 0 ? GoTime.zero : new GoTime(alert.endsAt),
      GeneratorURL: alert.generatorUrl,
      Fingerprint: alert.fingerprint,
    },
    // Methods, not fields: what upstream's templates print of an alert stays as it is.
    {
      IsChanged: getter(() => alert.changed),
      AcknowledgedBy: getter(() => alert.acknowledgement?.by ?? ''),
      AcknowledgementComment: getter(() => alert.acknowledgement?.comment ?? ''),
    },
    ALERT_JSON,
  );
}

function alertsValue(alerts: readonly NotifiedAlert[]): GoSlice {
  const values = alerts.map(alertValue);
  const subset = (belongs: (alert: NotifiedAlert) => boolean) =>
    getter(
      () =>
        new GoSlice(
          '[]template.Alert',
          values.filter((_, i) => belongs(alerts[i]!)),
          {},
          ['template.Alerts'],
        ),
    );
  const methods = {
    Firing: subset(({ status }) => status === 'firing'),
    Resolved: subset(({ status }) => status === 'resolved'),
    Changed: subset(({ changed }) => changed),
    Unchanged: subset(({ changed }) => !changed),
  };
  return new GoSlice('template.Alerts', values, methods, ['[]template.Alert']);
}

const DATA_JSON = {
  Receiver: 'receiver',
  Status: 'status',
  Alerts: 'alerts',
  NotificationReason: 'notification_reason',
  GroupLabels: 'groupLabels',
  CommonLabels: 'commonLabels',
  CommonAnnotations: 'commonAnnotations',
  RouteLabels: 'routeLabels',
  ExternalURL: 'externalURL',
};

/** The dot of notification templates. The receiver's name is quoted for regular expressions, as Alertmanager has it. */
export function notificationData(notification: Notification): GoStruct {
  return new GoStruct(
    '*template.Data',
    {
      Receiver: notification.receiver.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&'),
      Status: notification.status,
      Alerts: alertsValue(notification.alerts),
      NotificationReason: notification.reason,
      GroupLabels: kv(notification.groupLabels),
      CommonLabels: kv(notification.commonLabels),
      CommonAnnotations: kv(notification.commonAnnotations),
      RouteLabels: kv(notification.routeLabels),
      ExternalURL: notification.externalUrl,
    },
    {},
    DATA_JSON,
  );
}

/** Labels and annotations that all alerts share. */
export function commonPairs(all: readonly Labels[]): Labels {
  const [first = [], ...others] = all;
  const common: string[] = [];
  for (let i = 0; i < first.length; i += 2) {
    const [name, value] = [first[i]!, first[i + 1]!];
    const shared = others.every((labels) => hasPair(labels, name, value));
    if (shared) common.push(name, value);
  }
  return common;
}

function hasPair(labels: Labels, name: string, value: string): boolean {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === name) return labels[i + 1] === value;
  return false;
}

export function alertmanagerFunctions(clock: Clock): FunctionTable {
  return {
    ...FUNCTIONS,
    now: { params: [], call: () => new GoTime(clock.now()) },
    since: {
      params: ['time.Time'],
      call: (time) => new GoDuration(BigInt(clock.now()) * 1_000_000n - (time as GoTime).nanoseconds),
    },
  };
}

const text = (call: (text: string) => Value): GoFunction => ({ params: ['string'], call: (t) => call(t as string) });

function dict(...values: Value[]): GoMap {
  if (values.length % 2 !== 0) throw new Error('dict requires an even number of arguments');
  const entries = new Map<string, Value>();
  for (let i = 0; i < values.length; i += 2) {
    const key = values[i];
    if (typeof key !== 'string') throw new Error('dict keys must be strings');
    entries.set(key, values[i + 1]);
  }
  return new GoMap('map[string]interface {}', entries, undefined);
}

function decodeBase64(encoded: string): string {
  const bad = /[^A-Za-z0-9_=\r\n-]/.exec(encoded);
  const clean = encoded.replace(/[\r\n]/g, '');
  if (bad) throw new Error(`illegal base64 data at input byte ${bad.index}`);
  if (clean.length % 4 !== 0 || /=[^=]|={3}/.test(clean)) {
    throw new Error(`illegal base64 data at input byte ${clean.length - (clean.length % 4)}`);
  }
  return Buffer.from(clean, 'base64url').toString();
}

const FUNCTIONS: FunctionTable = {
  toUpper: text((t) => t.toUpperCase()),
  toLower: text((t) => t.toLowerCase()),
  title: text((t) => titleCase(t, true)),
  trimSpace: text((t) => t.trim()),
  join: {
    params: ['string', '[]string'],
    call: (separator, items) => (sliceItems(items) ?? []).join(separator as string),
  },
  match: { params: ['string', 'string'], call: (pattern, t) => matchText(pattern as string, t as string) },
  safeHtml: text((t) => new SafeText('HTML', t)),
  safeUrl: text((t) => new SafeText('URL', t)),
  urlUnescape: text(queryUnescape),
  reReplaceAll: {
    params: ['string', 'string', 'string'],
    call: (pattern, replacement, t) => replaceText(pattern as string, replacement as string, t as string),
  },
  stringSlice: { params: ['string'], variadic: true, call: (...items) => stringSlice(items as string[]) },
  // Whoever knows the route puts another one in its place.
  routeLabels: text(() => ''),
  date: { params: ['string', 'time.Time'], call: (layout, time) => (time as GoTime).format(layout as string) },
  tz: { params: ['string', 'time.Time'], call: (zone, time) => (time as GoTime).in(zone as string) },
  humanizeDuration: { params: [ANY], call: humanizeDuration },
  toDate: {
    params: ['string', 'string'],
    call: (layout, t) => {
      try {
        return parseTime(layout as string, t as string);
      } catch {
        return GoTime.zero;
      }
    },
  },
  mustToDate: { params: ['string', 'string'], call: (layout, t) => parseTime(layout as string, t as string) },
  toJson: { params: [ANY], call: goJson },
  base64encode: text((t) => {
    const encoded = Buffer.from(t).toString('base64url');
    return encoded.padEnd(Math.ceil(encoded.length / 4) * 4, '=');
  }),
  base64decode: text(decodeBase64),
  list: { params: [ANY], variadic: true, call: (...items) => items },
  append: {
    params: ['[]interface {}', ANY],
    variadic: true,
    call: (items, ...more) => [...(sliceItems(items) ?? []), ...more],
  },
  dict: { params: [ANY], variadic: true, call: dict },
};
