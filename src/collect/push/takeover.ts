// Takes over the persistence file of Pushgateway: a gob of groups, whose families are protobuf messages. Times of pushes are families
// like the others there; here they belong to the group.

import { OperatingError } from '#base/errors.ts';
import { decodeGob, type GobValue } from '#wire/gob.ts';
import { parseFamilyProtobuf } from './protobuf.ts';
import { type Group, type GroupOptions, groupKey, type StoredFamily } from './state.ts';

/** Seconds from the year 1, where Go's times begin, to 1970. */
const UNIX_EPOCH = 62_135_596_800n;

/** Throws an operating error when the content is no such file. */
export function readPushgatewayFile(bytes: Uint8Array, options: GroupOptions): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const value of mapOf(decodeGob(bytes), 'groups').values()) {
    const group = readGroup(value, options);
    groups.set(groupKey(group.labels), group);
  }
  return groups;
}

function readGroup(value: GobValue, options: GroupOptions): Group {
  const { Labels, Metrics } = value as Record<string, GobValue | undefined>;
  const labels = Object.fromEntries(
    [...mapOf(Labels, 'labels')].map(([name, text]) => [String(name), String(text)] as const),
  );
  const families: Record<string, StoredFamily> = {};
  const times: Record<string, number> = {};
  for (const [name, stored] of mapOf(Metrics, 'metrics')) {
    const { Timestamp, GobbableMetricFamily } = stored as Record<string, GobValue | undefined>;
    if (!(GobbableMetricFamily instanceof Uint8Array)) throw wrong('a metric family is no message');
    const family = parseFamilyProtobuf(GobbableMetricFamily);
    if (name === 'push_time_seconds' || name === 'push_failure_time_seconds') {
      const first = family.metrics[0]?.value;
      times[name] = first?.kind === 'number' ? first.number * 1000 : 0;
    } else
      families[family.name] = {
        ...family,
        pushedAt: Timestamp instanceof Uint8Array ? timeMs(Timestamp) : 0,
        changed: family.metrics.map(() => 1),
      };
  }
  return {
    labels,
    version: 1,
    pushedAt: times['push_time_seconds'] ?? 0,
    failedAt: times['push_failure_time_seconds'] ?? 0,
    options,
    pushIds: [],
    families,
  };
}

/** Go's binary form of a time: version, seconds, nanoseconds, zone. */
function timeMs(bytes: Uint8Array): number {
  if (bytes.length < 13) throw wrong('a time is too short');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Number(view.getBigInt64(1) - UNIX_EPOCH) * 1000 + Math.floor(view.getInt32(9) / 1e6);
}

function mapOf(value: GobValue | undefined, what: string): ReadonlyMap<GobValue, GobValue> {
  // Go leaves out what is empty.
  if (value === undefined) return new Map();
  if (value instanceof Map) return value;
  throw wrong(`${what} are no map`);
}

const wrong = (what: string) => new OperatingError('foreign', `cannot take over Pushgateway's file: ${what}`);
