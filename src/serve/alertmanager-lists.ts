// The alertmanager's lists of alerts, flat and by group. They may be long: they are found and written in slices that give way to
// other requests and to notifications, and never lie in memory as a whole.

import type { Alertmanager, AlertStatus } from '#alert/alertmanager.ts';
import type { GroupView } from '#alert/route/groups.ts';
import { matchRoutes } from '#alert/route/tree.ts';
import { isResolved, type KnownAlert } from '#alert/store.ts';
import { compareLabels, type Labels } from '#model/labels.ts';
import { compileMatchers } from '#model/matcher.ts';
import { Pace, sortPaced } from '#query/execute/pace.ts';
import { type AlertmanagerApiOptions, filters, flag, iso, receiverTest } from './alertmanager-filters.ts';
import type { HttpRequest, HttpResponse } from './http.ts';

/** How long a list may hold the thread at a time. */
const SLICE_MS = 10;
/** What finding out about one alert weighs, in the pace's points. */
const ALERT_POINTS = 200;
const CHUNK_CHARACTERS = 65_536;

type Shown = {
  readonly active: boolean;
  readonly silenced: boolean;
  readonly inhibited: boolean;
  readonly unprocessed: boolean;
};

const shownStates = (query: URLSearchParams): Shown => ({
  active: flag(query, 'active'),
  silenced: flag(query, 'silenced'),
  inhibited: flag(query, 'inhibited'),
  unprocessed: flag(query, 'unprocessed'),
});

function isShown(status: AlertStatus, shown: Shown): boolean {
  if (!shown.active && status.state === 'active') return false;
  if (!shown.unprocessed && status.state === 'unprocessed') return false;
  if (!shown.silenced && status.silencedBy.length > 0) return false;
  return shown.inhibited || status.inhibitedBy.length === 0;
}

/** Of an alert; the lists are few, and alerts share them. */
function receiverLists({ tree }: Alertmanager): (alert: KnownAlert) => readonly string[] {
  const known = new Map<string, readonly string[]>();
  return ({ labels }) => {
    const routes = tree ? matchRoutes(tree, labels) : [];
    const key = routes.length === 1 ? routes[0]!.id : routes.map((route) => route.id).join('\xff');
    let names = known.get(key);
    if (!names) {
      names = routes.map((route) => route.settings.receiver);
      known.set(key, names);
    }
    return names;
  };
}

type Found = { readonly alert: KnownAlert; readonly status: AlertStatus; readonly receivers: readonly string[] };

const byFingerprint = (a: Found, b: Found): number => (a.alert.fingerprint < b.alert.fingerprint ? -1 : 1);

export async function listAlerts(
  { query, signal }: HttpRequest,
  options: AlertmanagerApiOptions,
): Promise<HttpResponse> {
  const { alertmanager, clock } = options;
  const shown = shownStates(query);
  const matches = compileMatchers(filters(query, options));
  const isReceiver = receiverTest(query, options);
  const now = clock.now();
  const receiversOf = receiverLists(alertmanager);
  const pace = new Pace(clock, signal, SLICE_MS);
  const found: Found[] = [];
  for (const alert of alertmanager.alerts.all()) {
    if (pace.did(ALERT_POINTS)) await pace.giveWay();
    if (isResolved(alert, now) || !matches(alert.labels)) continue;
    const receivers = receiversOf(alert);
    if (!receivers.some(isReceiver)) continue;
    const status = alertmanager.status(alert);
    if (isShown(status, shown)) found.push({ alert, status, receivers });
  }
  const sorted = await sortPaced(found, byFingerprint, pace);
  const write = alertWriter(alertmanager);
  return jsonList(sorted, pace, function* (one) {
    yield write(one);
  });
}

type FoundGroup = { readonly view: GroupView; readonly alerts: readonly Found[]; readonly mutedBy: readonly string[] };

export async function listGroups(
  { query, signal }: HttpRequest,
  options: AlertmanagerApiOptions,
): Promise<HttpResponse> {
  const { alertmanager, clock } = options;
  const shown = shownStates(query);
  const showMuted = flag(query, 'muted');
  const matches = compileMatchers(filters(query, options));
  const isReceiver = receiverTest(query, options);
  const now = clock.now();
  const receiversOf = receiverLists(alertmanager);
  const pace = new Pace(clock, signal, SLICE_MS);
  const groups: FoundGroup[] = [];
  for (const view of alertmanager.groups()) {
    if (!isReceiver(view.route.settings.receiver)) continue;
    const mutedBy = alertmanager.mutedBy(view.groupKey);
    if (mutedBy.length > 0 && !showMuted) continue;
    const alerts: Found[] = [];
    for (const alert of view.alerts) {
      if (pace.did(ALERT_POINTS)) await pace.giveWay();
      if (isResolved(alert, now) || !matches(alert.labels)) continue;
      const status = alertmanager.status(alert);
      if (!isShown(status, shown)) continue;
      const receivers = [...new Set(receiversOf(alert).filter(isReceiver))].sort();
      const isMuted = mutedBy.length > 0;
      alerts.push({ alert, receivers, status: isMuted ? { ...status, state: 'suppressed', mutedBy } : status });
    }
    if (alerts.length > 0) groups.push({ view, alerts: alerts.sort(byFingerprint), mutedBy });
  }
  const receiver = ({ view }: FoundGroup) => view.route.settings.receiver;
  const sorted = await sortPaced(
    groups,
    (a, b) => compareLabels(a.view.labels, b.view.labels) || (receiver(a) < receiver(b) ? -1 : 1),
    pace,
  );
  const write = alertWriter(alertmanager);
  return jsonList(sorted, pace, function* (group) {
    const labels = pairsText(group.view.labels);
    yield `{"labels":${labels},"routeLabels":${JSON.stringify(alertmanager.routeLabels(group.view))},"receiver":{"name":${JSON.stringify(receiver(group))}},"alerts":[`;
    for (const [index, one] of group.alerts.entries()) yield `${index === 0 ? '' : ','}${write(one)}`;
    yield ']}';
  });
}

function pairsText(labels: Labels): string {
  let text = '{';
  for (let i = 0; i < labels.length; i += 2)
    text += `${i === 0 ? '' : ','}${JSON.stringify(labels[i])}:${JSON.stringify(labels[i + 1])}`;
  return `${text}}`;
}

/** Text by value, kept while one list is written: alerts of one list share most of what is in them. */
function remembered<T>(textOf: (value: T) => string): (value: T) => string {
  const known = new Map<T, string>();
  return (value) => {
    let text = known.get(value);
    if (text === undefined) {
      if (known.size >= MAX_REMEMBERED) known.clear();
      text = textOf(value);
      known.set(value, text);
    }
    return text;
  };
}

const MAX_REMEMBERED = 1000;

/** Alerts as JSON. */
function alertWriter(alertmanager: Alertmanager): (found: Found) => string {
  const time = remembered((ms: number) => JSON.stringify(iso(ms)));
  // By identity: most alerts share one.
  const statusText = remembered((status: AlertStatus) => JSON.stringify(status));
  const receiver = remembered((name: string) => JSON.stringify({ name }));
  return ({ alert, status, receivers }) => {
    const acknowledgement = alertmanager.acknowledgement(alert.fingerprint);
    const generator = alert.generatorUrl === '' ? '' : `,"generatorURL":${JSON.stringify(alert.generatorUrl)}`;
    const owner = acknowledgement
      ? `,"acknowledgement":${JSON.stringify({ by: acknowledgement.by, comment: acknowledgement.comment, at: iso(acknowledgement.at) })}`
      : '';
    return (
      `{"annotations":${pairsText(alert.annotations)},"endsAt":${time(alert.endsAt)},"fingerprint":"${alert.fingerprint}"` +
      `,"receivers":[${receivers.map(receiver).join(',')}],"startsAt":${time(alert.startsAt)}` +
      `,"status":${statusText(status)},"updatedAt":${time(alert.updatedAt)}${generator}` +
      `,"labels":${pairsText(alert.labels)}${owner}}`
    );
  };
}

/** A list that is written while it is sent. */
async function jsonList<T>(
  items: readonly T[],
  pace: Pace,
  write: (item: T) => Iterable<string>,
): Promise<HttpResponse> {
  async function* chunks() {
    let text = '[';
    for (const [index, item] of items.entries()) {
      if (index > 0) text += ',';
      for (const piece of write(item)) {
        if (pace.did(ALERT_POINTS)) await pace.giveWay();
        text += piece;
        if (text.length < CHUNK_CHARACTERS) continue;
        yield text;
        text = '';
      }
    }
    yield `${text}]`;
  }
  const headers = { 'content-type': 'application/json' };
  const all = chunks();
  const first = await all.next();
  const second = await all.next();
  // A short one goes out in one piece.
  if (second.done) return { status: 200, headers, body: first.value ?? '' };
  return { status: 200, headers, body: continued([first.value ?? '', second.value], all) };
}

async function* continued(begun: readonly string[], rest: AsyncIterable<string>): AsyncIterable<string> {
  yield* begun;
  yield* rest;
}
