// Kafka under kafka_exporter's names: brokers, topics, offsets of partitions, and how far consumer groups are behind.

import type { Page } from '../page.ts';
import type { SourceKind } from '../source.ts';
import {
  committedRequest,
  KafkaConnection,
  type KafkaTopic,
  KafkaWriter,
  metadataRequest,
  NEWEST,
  OLDEST,
  offsetsRequest,
  readCommitted,
  readGroups,
  readMembers,
  readMetadata,
  readOffsets,
} from './protocol.ts';
import { authenticate, openSocket, readSecurity } from './security.ts';

const LIST_OFFSETS = 2;
const METADATA = 3;
const OFFSET_FETCH = 9;
const DESCRIBE_GROUPS = 15;
const LIST_GROUPS = 16;

export const kafkaKind: SourceKind = {
  up: 'kafka_up',
  create(source, { disk }) {
    const url = new URL(source.url);
    const security = readSecurity(url);
    const open = new Set<KafkaConnection>();
    const closeAll = () => {
      for (const connection of open) connection.close();
      open.clear();
    };
    const connect = async (host: string, port: number) => {
      const connection = new KafkaConnection(openSocket(host, port, security, disk), source.timeoutMs);
      open.add(connection);
      await authenticate(connection, security);
      return connection;
    };
    return {
      close: async () => closeAll(),
      async read(page, signal) {
        signal.addEventListener('abort', closeAll, { once: true });
        try {
          const first = await connect(url.hostname, Number(url.port || 9092));
          const { brokers, topics } = readMetadata(await first.ask(METADATA, 1, metadataRequest()));
          page.gauge('kafka_brokers', 'Brokers of the cluster.', brokers.length);
          for (const broker of brokers)
            page.gauge('kafka_broker_info', 'A broker.', 1, [
              'address',
              `${broker.host}:${broker.port}`,
              'id',
              String(broker.id),
            ]);
          const newest = new Map<string, number>();
          const oldest = new Map<string, number>();
          const groups: { connection: KafkaConnection; names: string[] }[] = [];
          for (const broker of brokers) {
            const connection = await connect(broker.host, broker.port);
            const led = partitionsOf(topics, broker.id);
            for (const [map, time] of [
              [newest, NEWEST],
              [oldest, OLDEST],
            ] as const)
              for (const [key, offset] of readOffsets(await connection.ask(LIST_OFFSETS, 1, offsetsRequest(led, time))))
                map.set(key, offset);
            groups.push({ connection, names: readGroups(await connection.ask(LIST_GROUPS, 0, Buffer.alloc(0))) });
          }
          for (const topic of topics) addTopic(page, topic, newest, oldest);
          const all = partitionsOf(topics, undefined);
          for (const { connection, names } of groups) await addGroups(page, connection, names, all, newest);
        } finally {
          closeAll();
        }
      },
    };
  },
};

/** Partition numbers by topic: of one leader, or all. */
function partitionsOf(topics: readonly KafkaTopic[], leader: number | undefined): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const { name, partitions } of topics) {
    const ids = partitions.filter((one) => leader === undefined || one.leader === leader).map((one) => one.id);
    if (ids.length > 0) found.set(name, ids);
  }
  return found;
}

function addTopic(
  page: Page,
  topic: KafkaTopic,
  newest: ReadonlyMap<string, number>,
  oldest: ReadonlyMap<string, number>,
): void {
  page.gauge('kafka_topic_partitions', 'Partitions of a topic.', topic.partitions.length, ['topic', topic.name]);
  for (const { id, leader, replicas, inSync } of topic.partitions) {
    const labels = ['partition', String(id), 'topic', topic.name];
    const key = `${topic.name}/${id}`;
    const gauge = (metric: string, value: number | undefined) => {
      if (value !== undefined) page.gauge(`kafka_topic_partition_${metric}`, `Partition: ${metric}.`, value, labels);
    };
    gauge('leader', leader);
    gauge('replicas', replicas.length);
    gauge('in_sync_replica', inSync.length);
    gauge('leader_is_preferred', replicas[0] === leader ? 1 : 0);
    gauge('under_replicated_partition', inSync.length < replicas.length ? 1 : 0);
    gauge('current_offset', newest.get(key));
    gauge('oldest_offset', oldest.get(key));
  }
}

async function addGroups(
  page: Page,
  connection: KafkaConnection,
  names: readonly string[],
  all: ReadonlyMap<string, readonly number[]>,
  newest: ReadonlyMap<string, number>,
): Promise<void> {
  if (names.length === 0) return;
  const writer = new KafkaWriter();
  const request = writer.array(names, (name) => void writer.string(name)).bytes();
  const members = readMembers(await connection.ask(DESCRIBE_GROUPS, 0, request));
  for (const group of names) {
    page.gauge('kafka_consumergroup_members', 'Members of a group.', members.get(group) ?? 0, ['consumergroup', group]);
    const sums = new Map<string, { offset: number; lag: number }>();
    for (const [key, offset] of readCommitted(await connection.ask(OFFSET_FETCH, 1, committedRequest(group, all)))) {
      const at = key.lastIndexOf('/');
      const [topic, partition] = [key.slice(0, at), key.slice(at + 1)];
      const lag = Math.max(0, (newest.get(key) ?? offset) - offset);
      const labels = ['consumergroup', group, 'partition', partition, 'topic', topic];
      page.gauge('kafka_consumergroup_current_offset', 'Committed offset of a group.', offset, labels);
      page.gauge('kafka_consumergroup_lag', 'How far a group is behind.', lag, labels);
      const sum = sums.get(topic) ?? { offset: 0, lag: 0 };
      sum.offset += offset;
      sum.lag += lag;
      sums.set(topic, sum);
    }
    for (const [topic, { offset, lag }] of sums) {
      const labels = ['consumergroup', group, 'topic', topic];
      page.gauge('kafka_consumergroup_current_offset_sum', 'Committed offsets of a topic.', offset, labels);
      page.gauge('kafka_consumergroup_lag_sum', 'How far a group is behind in a topic.', lag, labels);
    }
  }
}
