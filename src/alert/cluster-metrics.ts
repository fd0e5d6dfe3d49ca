// Metrics of sharing with other alertmanagers, under the names that gossip has for them upstream. What only gossip does (pings,
// oversized messages) stays at nothing, so that rules and dashboards made for upstream find every name.

import type { Registry } from '#model/registry.ts';

type Traffic = { count: number; bytes: number };

/** What a member has done since it started. */
export type ClusterFigures = {
  readonly sent: Readonly<Record<'full_state' | 'update', Traffic>>;
  readonly received: Readonly<Record<'full_state' | 'update', Traffic>>;
  joined: number;
  left: number;
  reconnections: number;
  failedReconnections: number;
};

export const clusterFigures = (): ClusterFigures => {
  const traffic = () => ({ full_state: { count: 0, bytes: 0 }, update: { count: 0, bytes: 0 } });
  return { sent: traffic(), received: traffic(), joined: 0, left: 0, reconnections: 0, failedReconnections: 0 };
};

export type ClusterView = {
  readonly name: string;
  readonly members: readonly string[];
  readonly position: number;
  readonly isConnected: boolean;
  /** Changes that the others do not have yet. */
  readonly waiting: number;
  readonly figures: ClusterFigures;
};

export function registerClusterMetrics(registry: Registry, cluster: ClusterView): void {
  const { figures } = cluster;
  const prefix = 'alertmanager_cluster';
  const one = (name: string, help: string, type: 'counter' | 'gauge', value: () => number) =>
    registry.collected(name, help, type, () => [{ value: value() }]);
  registry.collected(`${prefix}_peer_info`, 'Always 1, with the name of this member.', 'gauge', () => [
    { labels: ['peer', cluster.name], value: 1 },
  ]);
  one(`${prefix}_members`, 'How many members there are.', 'gauge', () => Math.max(1, cluster.members.length));
  one('alertmanager_peer_position', 'How many members notify before this one.', 'gauge', () => cluster.position);
  one(`${prefix}_failed_peers`, 'Members that cannot be reached; etcd forgets them.', 'gauge', () => 0);
  one(`${prefix}_health_score`, '0 while this member is connected.', 'gauge', () => (cluster.isConnected ? 0 : 1));
  one(`${prefix}_messages_queued`, 'Changes that wait to be shared.', 'gauge', () => cluster.waiting);
  one(`${prefix}_peers_joined_total`, 'Members that came.', 'counter', () => figures.joined);
  one(`${prefix}_peers_left_total`, 'Members that went.', 'counter', () => figures.left);
  one(
    `${prefix}_reconnections_total`,
    'How often a lost connection came back.',
    'counter',
    () => figures.reconnections,
  );
  one(
    `${prefix}_reconnections_failed_total`,
    'How often a lost connection could not be made again.',
    'counter',
    () => figures.failedReconnections,
  );
  for (const direction of ['sent', 'received'] as const) {
    const byType = (value: (traffic: Traffic) => number) => () =>
      Object.entries(figures[direction]).map(([type, traffic]) => ({
        labels: ['msg_type', type],
        value: value(traffic),
      }));
    const name = `${prefix}_messages_${direction}`;
    registry.collected(
      `${name}_total`,
      `Messages ${direction}.`,
      'counter',
      byType(({ count }) => count),
    );
    registry.collected(
      `${name}_size_total`,
      `Bytes of messages ${direction}.`,
      'counter',
      byType(({ bytes }) => bytes),
    );
  }
  registerGossipMetrics(registry, cluster.name);
}

/** Of gossip alone. */
function registerGossipMetrics(registry: Registry, name: string): void {
  const nothing = 'Only gossip has this; members share through etcd.';
  for (const rest of [
    'messages_pruned_total',
    'peer_name_conflicts_total',
    'peers_update_total',
    'refresh_join_total',
    'refresh_join_failed_total',
  ])
    registry.counter(`alertmanager_cluster_${rest}`, nothing);
  registry.counterVec('alertmanager_cluster_alive_messages_total', nothing, ['peer']).with(name);
  registry.histogramVec(
    'alertmanager_cluster_pings_seconds',
    nothing,
    ['peer'],
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5],
  );
  const channels = ['nfl', 'sil'];
  for (const rest of ['failure_total', 'sent_total', 'dropped_total']) {
    const counters = registry.counterVec(`alertmanager_oversized_gossip_message_${rest}`, nothing, ['key']);
    for (const key of channels) counters.with(key);
  }
  const durations = registry.histogramVec(
    'alertmanager_oversize_gossip_message_duration_seconds',
    nothing,
    ['key'],
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  );
  for (const key of channels) durations.with(key);
}
