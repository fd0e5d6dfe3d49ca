// The alertmanager's own metrics, under upstream's names: what is counted as it happens, and what is read off when asked.

import type { Labels } from '#model/labels.ts';
import type { Counter, Registry, SummaryMetric } from '#model/registry.ts';
import { type NotifyMetrics, notifyMetrics } from './notify/metrics.ts';

/** Features that add labels whose values are many. */
export type MetricFeature = 'alert-names-in-metrics' | 'receiver-name-in-metrics' | 'group-key-in-metrics';

export type AlertmanagerMetrics = {
  readonly received: (status: 'firing' | 'resolved') => Counter;
  readonly invalid: Counter;
  readonly limited: (alertName: string) => Counter;
  /** An alert was handed to a part of the alertmanager. */
  readonly handedTo: (part: 'dispatcher' | 'inhibitor') => Counter;
  /** How long the dispatcher took for an alert. */
  readonly dispatched: SummaryMetric;
  readonly notify: NotifyMetrics;
};

type States = Readonly<Record<string, number>>;

/** What is read when somebody asks for the metrics. */
export type AlertmanagerFigures = {
  /** Alerts by state; by group as well if asked. */
  readonly alerts: (byGroup: boolean) => Iterable<{ readonly groupKey: string; readonly states: States }>;
  readonly silences: () => States;
  readonly groups: () => number;
  readonly groupsLimited: () => number;
  readonly alertsPerName: number;
  readonly receivers: () => number;
  readonly integrations: () => number;
  readonly inhibitRules: () => number;
  /** Of the configuration in force. */
  readonly configHash: () => number;
  readonly isClustered: boolean;
  readonly silenceIndex: () => { readonly silences: number; readonly indexed: number; readonly keys: number };
};

export function alertmanagerMetrics(
  registry: Registry,
  features: ReadonlySet<string>,
  figures: AlertmanagerFigures,
): AlertmanagerMetrics {
  const has = (feature: MetricFeature) => features.has(feature);
  const received = registry.counterVec('alertmanager_alerts_received_total', 'The total number of received alerts.', [
    'status',
    'version',
  ]);
  const invalid = registry.counterVec(
    'alertmanager_alerts_invalid_total',
    'The total number of received alerts that were invalid.',
    ['version'],
  );
  for (const status of ['firing', 'resolved']) received.with(status, 'v2');
  const limited = registry.counterVec(
    'alertmanager_alerts_limited_total',
    'The total number of alerts that were dropped due to per alert name limit.',
    has('alert-names-in-metrics') ? ['alertname'] : [],
  );
  const handed = registry.counterVec(
    'alertmanager_alerts_subscriber_channel_writes_total',
    'How often an alert was handed to a part of the alertmanager.',
    ['subscriber'],
  );
  if (!has('alert-names-in-metrics')) limited.with();
  registerFigures(registry, has('group-key-in-metrics'), figures);
  return {
    received: (status) => received.with(status, 'v2'),
    invalid: invalid.with('v2'),
    handedTo: (part) => handed.with(part),
    dispatched: registry.summary(
      'alertmanager_dispatcher_alert_processing_duration_seconds',
      'How long putting an alert into its groups took.',
    ),
    limited: (name) => limited.with(...(has('alert-names-in-metrics') ? [name] : [])),
    notify: notifyMetrics(registry, has('receiver-name-in-metrics')),
  };
}

function registerFigures(registry: Registry, byGroup: boolean, figures: AlertmanagerFigures): void {
  const byState = (states: States, more: Labels = []) =>
    Object.entries(states).map(([state, value]) => ({ labels: [...more, 'state', state], value }));
  registry.collected('alertmanager_alerts', 'How many alerts by state.', 'gauge', function* () {
    for (const { groupKey, states } of figures.alerts(byGroup)) {
      yield* byState(states, byGroup ? ['group_key', groupKey] : []);
    }
  });
  registry.collected('alertmanager_silences', 'How many silences by state.', 'gauge', () =>
    byState(figures.silences()),
  );
  const one = (name: string, help: string, type: 'gauge' | 'counter', value: () => number) =>
    registry.collected(`alertmanager_${name}`, help, type, () => [{ value: value() }]);
  one('dispatcher_aggregation_groups', 'Number of active aggregation groups.', 'gauge', figures.groups);
  one(
    'dispatcher_aggregation_group_limit_reached_total',
    'Alerts not routed because of the limit on groups.',
    'counter',
    figures.groupsLimited,
  );
  one('alerts_per_alert_limit', 'How many alerts of one name are kept.', 'gauge', () => figures.alertsPerName);
  one('receivers', 'Number of configured receivers.', 'gauge', figures.receivers);
  one('integrations', 'Number of configured integrations.', 'gauge', figures.integrations);
  one('inhibition_rules', 'Number of configured inhibition rules.', 'gauge', figures.inhibitRules);
  one('config_hash', 'Hash of the configuration in force.', 'gauge', figures.configHash);
  one('cluster_enabled', 'Whether alerts are shared with other members.', 'gauge', () => (figures.isClustered ? 1 : 0));
  for (const rest of ['creation_retries_total', 'creation_given_up_total'])
    registry.counter(
      `alertmanager_dispatcher_aggregation_group_${rest}`,
      'Always 0: groups are made by one thread, which nothing can come in the way of.',
    );
  one('silences_state_size', 'How many silences are kept.', 'gauge', () => figures.silenceIndex().silences);
  one('silences_version_index_size', 'How many silences are indexed.', 'gauge', () => figures.silenceIndex().indexed);
  one(
    'silences_matcher_index_size',
    'Keys under which silences are found.',
    'gauge',
    () => figures.silenceIndex().keys,
  );
}
