// The alertmanager's configuration file: routes, receivers, inhibition rules, time intervals, templates. Reading it yields
// everything that runs, or every mistake with its position.

import { displayYaml, loadYaml } from '#base/config/load.ts';
import {
  anything,
  boolean,
  duration,
  type Infer,
  lazy,
  list,
  map,
  type ObjectOf,
  object,
  optional,
  record,
  type Schema,
  string,
  withDefault,
} from '#base/config/schema.ts';
import { compileRegex } from '#base/regex/regex.ts';
import { type TracingConfig, tracingConfig, tracingSection } from '#clients/otlp/config.ts';
import type { Matcher } from '#model/matcher.ts';
import { type EventOutputs, eventRecorderFrom, eventRecorderSection } from '../events/config.ts';
import type { InhibitSpec } from '../inhibit/inhibit.ts';
import { CLASSIC_NAME, isLabelName, type MatcherMode, parseMatchers } from '../match/parse.ts';
import type { BuildIntegration } from '../notify/kind.ts';
import { RECEIVER_KINDS } from '../notify/kinds.ts';
import { type GlobalConfig, globalFrom, globalSchema } from './global.ts';
import { namedIntervalsSchema, type TimeInterval } from './intervals.ts';
import type { RouteSpec } from './tree.ts';

const matcherList = (mode: MatcherMode) =>
  map(
    list(string()),
    (texts) => texts.flatMap((text) => parseMatchers(text, mode)),
    'a list of matchers such as severity="page"',
  );

/** The older spelling of matchers: label names to values, here with their type. */
const olderMap = (type: '=' | '=~') =>
  map(record(map(anything(), (given) => ({ given }))), (pairs) =>
    Object.entries(pairs).map(([name, { given }]): Matcher => {
      if (!CLASSIC_NAME.test(name)) throw new Error(`invalid label name ${JSON.stringify(name)}`);
      if (typeof given === 'object' && given !== null) throw new Error(`expected text as the value of ${name}`);
      if (type === '=~' && given === null) throw new Error(`invalid regexp value for ${JSON.stringify(name)}`);
      const value = String(given ?? '');
      if (type === '=~') compileRegex(value);
      return { type, name, value };
    }),
  );

const positiveDuration = (name: string) =>
  map(duration(), (ms) => {
    if (ms === 0) throw new Error(`${name} cannot be zero`);
    return ms;
  });

type RouteNode = RouteSpec & { readonly receiver?: string };

const routeSchemaIn = (mode: MatcherMode): Schema<RouteNode> =>
  map(
    object(
      {
        receiver: optional(string()),
        group_by: optional(list(string())),
        match: optional(olderMap('=')),
        match_re: optional(olderMap('=~')),
        matchers: optional(matcherList(mode)),
        mute_time_intervals: list(string()),
        active_time_intervals: list(string()),
        continue: withDefault(boolean(), false),
        routes: list(lazy(() => routeSchemaIn(mode))),
        group_wait: optional(duration()),
        group_interval: optional(positiveDuration('group_interval')),
        repeat_interval: optional(positiveDuration('repeat_interval')),
        labels: record(string()),
      },
      (route, report) => {
        for (const name of Object.keys(route.labels)) {
          if (!isLabelName(name, mode)) report('labels', `invalid label name ${JSON.stringify(name)} in route labels`);
        }
        for (const name of route.group_by ?? []) {
          if (name !== '...' && !isLabelName(name, mode))
            report('group_by', `invalid label name ${JSON.stringify(name)} in group_by list`);
        }
        const names = route.group_by ?? [];
        if (names.includes('...') && names.length > 1)
          report('group_by', 'cannot have wildcard group_by (`...`) and other labels at the same time');
        const twice = names.find((name, index) => names.indexOf(name) !== index);
        if (twice !== undefined) report('group_by', `duplicated label ${JSON.stringify(twice)} in group_by`);
      },
    ),
    (raw): RouteNode => ({
      ...(raw.receiver ? { receiver: raw.receiver } : {}),
      ...(raw.group_by ? { groupBy: raw.group_by.includes('...') ? 'all' : raw.group_by } : {}),
      ...(raw.group_wait !== undefined ? { groupWaitMs: raw.group_wait } : {}),
      ...(raw.group_interval !== undefined ? { groupIntervalMs: raw.group_interval } : {}),
      ...(raw.repeat_interval !== undefined ? { repeatIntervalMs: raw.repeat_interval } : {}),
      muteIntervals: raw.mute_time_intervals,
      activeIntervals: raw.active_time_intervals,
      labels: raw.labels,
      matchers: [...(raw.match ?? []), ...(raw.match_re ?? []), ...(raw.matchers ?? [])],
      continue: raw.continue,
      routes: raw.routes,
    }),
  );

const inhibitSchemaIn = (mode: MatcherMode) =>
  map(
    object({
      name: withDefault(string(), ''),
      source_match: optional(olderMap('=')),
      source_match_re: optional(olderMap('=~')),
      source_matchers: optional(matcherList(mode)),
      target_match: optional(olderMap('=')),
      target_match_re: optional(olderMap('=~')),
      target_matchers: optional(matcherList(mode)),
      equal: list(string()),
    }),
    (raw): InhibitSpec => ({
      name: raw.name,
      source: [...(raw.source_match ?? []), ...(raw.source_match_re ?? []), ...(raw.source_matchers ?? [])],
      target: [...(raw.target_match ?? []), ...(raw.target_match_re ?? []), ...(raw.target_matchers ?? [])],
      equal: raw.equal,
    }),
  );

export type ReceiverSpec = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly resolvedAtOnce: boolean;
  readonly onlyChanged: boolean;
  readonly build: readonly { readonly kind: string; readonly index: number; readonly make: BuildIntegration }[];
};

/** What a receiver says beside its integrations. */
const receiverFields = {
  name: string(),
  labels: record(string()),
  resolved_at_once: withDefault(boolean(), false),
  only_changed: withDefault(boolean(), false),
};
type ReceiverFields = ObjectOf<typeof receiverFields>;

function receiverSchema(global: GlobalConfig): Schema<ReceiverSpec> {
  const integrations = Object.fromEntries(RECEIVER_KINDS.map((kind) => [kind.key, list(kind.entry(global))]));
  const schema = object({ ...receiverFields, ...integrations }, (value, report) => {
    const { name, labels } = value as ReceiverFields;
    if (name === '') report('name', 'missing name in receiver');
    if (labels['name'] !== undefined && labels['name'] !== name) {
      const [want, got] = [JSON.stringify(name), JSON.stringify(labels['name'])];
      report('labels', `receiver label "name" must match receiver name ${want}, got ${got}`);
    }
  });
  return map(schema, (value) => {
    const { name, labels, resolved_at_once, only_changed } = value as ReceiverFields;
    const lists = value as unknown as Readonly<Record<string, readonly BuildIntegration[]>>;
    return {
      name,
      labels: { ...labels, name },
      resolvedAtOnce: resolved_at_once,
      onlyChanged: only_changed,
      build: RECEIVER_KINDS.flatMap(({ key, kind }) => lists[key]!.map((make, index) => ({ kind, index, make }))),
    };
  });
}

export type AlertmanagerConfig = {
  readonly global: GlobalConfig;
  readonly route: RouteSpec;
  readonly inhibitRules: readonly InhibitSpec[];
  readonly receivers: readonly ReceiverSpec[];
  readonly intervals: ReadonlyMap<string, readonly TimeInterval[]>;
  /** Patterns of template files, absolute. */
  readonly templates: readonly string[];
  readonly tracing: TracingConfig | undefined;
  /** Where events go, if recording is switched on. */
  readonly events: EventOutputs;
  /** As written, with secrets hidden. */
  readonly shown: string;
};

const loose = anything();

export function parseAlertmanagerConfig(
  text: string,
  file: string,
  resolve: (file: string) => string,
  mode: MatcherMode = 'fallback',
): AlertmanagerConfig {
  // The receivers' defaults and checks depend on the global section, so that is read first, on its own.
  const first = loadYaml(
    text,
    object({
      global: optional(globalSchema),
      route: optional(loose),
      receivers: optional(loose),
      inhibit_rules: optional(loose),
      templates: optional(loose),
      time_intervals: optional(loose),
      mute_time_intervals: optional(loose),
      tracing: optional(loose),
      event_recorder: optional(loose),
    }),
    file,
  );
  const raw = first.global ?? loadYaml('{}', globalSchema, file);
  const global = globalFrom(raw, resolve);
  const schema = object(
    {
      global: optional(globalSchema),
      route: routeSchemaIn(mode),
      receivers: list(receiverSchema(global)),
      inhibit_rules: list(inhibitSchemaIn(mode)),
      templates: list(string()),
      time_intervals: list(namedIntervalsSchema),
      mute_time_intervals: list(namedIntervalsSchema),
      tracing: optional(tracingSection),
      event_recorder: optional(eventRecorderSection),
    },
    (value, report) => checkWhole(value, report),
  );
  const value = loadYaml(text, schema, file);
  return {
    global,
    route: value.route,
    inhibitRules: value.inhibit_rules,
    receivers: value.receivers,
    intervals: new Map([...value.time_intervals, ...value.mute_time_intervals].map((i) => [i.name, i.time_intervals])),
    templates: value.templates.map(resolve),
    tracing: value.tracing && tracingConfig(value.tracing, resolve),
    events: eventRecorderFrom(value.event_recorder, resolve),
    shown: displayYaml(text, schema, file),
  };
}

type Whole = {
  readonly route: RouteNode;
  readonly receivers: readonly ReceiverSpec[];
  readonly time_intervals: readonly Infer<typeof namedIntervalsSchema>[];
  readonly mute_time_intervals: readonly Infer<typeof namedIntervalsSchema>[];
};

/** What no single section can know: names that refer to each other. */
function checkWhole(value: Whole, report: (field: string, message: string) => void): void {
  const receivers = new Set<string>();
  for (const { name } of value.receivers) {
    if (receivers.has(name)) report('receivers', `notification config name ${JSON.stringify(name)} is not unique`);
    receivers.add(name);
  }
  if (!value.route.receiver) report('route', 'root route must specify a default receiver');
  if (value.route.matchers.length > 0) report('route', 'root route must not have any matchers');
  if (value.route.continue) report('route', 'cannot have continue in root route');
  if ([...(value.route.muteIntervals ?? []), ...(value.route.activeIntervals ?? [])].length > 0) {
    report('route', 'root route must not have any mute or active time intervals');
  }
  const intervals = new Set<string>();
  for (const field of ['time_intervals', 'mute_time_intervals'] as const) {
    for (const { name } of value[field]) {
      if (name === '') report(field, 'missing name in time interval');
      if (intervals.has(name)) report(field, `mute time interval ${JSON.stringify(name)} is not unique`);
      intervals.add(name);
    }
  }
  const visit = (route: RouteNode) => {
    if (route.receiver && !receivers.has(route.receiver))
      report('route', `undefined receiver ${JSON.stringify(route.receiver)} used in route`);
    for (const name of [...(route.muteIntervals ?? []), ...(route.activeIntervals ?? [])]) {
      if (!intervals.has(name)) report('route', `undefined time interval ${JSON.stringify(name)} used in route`);
    }
    for (const child of route.routes) visit(child as RouteNode);
  };
  visit(value.route);
}
