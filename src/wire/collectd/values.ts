// collectd's values, however they were sent: the name in five parts and one or more data sources. The names of the data
// sources of a type come from its types.db; the types with several are built in.

export type CollectdKind = 'counter' | 'gauge' | 'derive' | 'absolute';
export const KINDS: readonly CollectdKind[] = ['counter', 'gauge', 'derive', 'absolute'];

export type CollectdValues = {
  readonly host: string;
  readonly plugin: string;
  readonly pluginInstance: string;
  readonly type: string;
  readonly typeInstance: string;
  /** Milliseconds. */
  readonly time: number;
  readonly values: readonly number[];
  readonly kinds: readonly CollectdKind[];
  /** As sent; undefined: look the type up. */
  readonly names: readonly string[] | undefined;
};

export type TypesDb = ReadonlyMap<string, readonly string[]>;

const RX_TX = ['rx', 'tx'];
const READ_WRITE = ['read', 'write'];

/** Types of collectd's types.db that have more than one data source. */
export const BUILT_IN_TYPES: TypesDb = new Map<string, readonly string[]>([
  ...[
    'if_dropped',
    'if_errors',
    'if_octets',
    'if_packets',
    'io_octets',
    'io_packets',
    'node_octets',
    'serial_octets',
  ].map((name) => [name, RX_TX] as const),
  ...['memcached_octets', 'mysql_octets', 'lac_octets', 'wireless_octets'].map((name) => [name, RX_TX] as const),
  ...['disk_latency', 'disk_merged', 'disk_octets', 'disk_ops', 'disk_time', 'ps_disk_octets', 'ps_disk_ops'].map(
    (name) => [name, READ_WRITE] as const,
  ),
  ['compression', ['uncompressed', 'compressed']],
  ['df', ['used', 'free']],
  ['dns_octets', ['queries', 'responses']],
  ['load', ['shortterm', 'midterm', 'longterm']],
  ['ps_count', ['processes', 'threads']],
  ['ps_cputime', ['user', 'syst']],
  ['ps_pagefaults', ['minflt', 'majflt']],
  ['vs_processes', ['total', 'running']],
]);

/** Reads a types.db: `name  source:KIND:min:max, source:KIND:min:max`. */
export function parseTypesDb(text: string): TypesDb {
  const types = new Map(BUILT_IN_TYPES);
  for (const line of text.split('\n')) {
    const match = /^([^#\s]\S*)\s+(\S.*)$/.exec(line);
    if (!match) continue;
    types.set(
      match[1]!,
      match[2]!.split(',').map((source) => source.trim().split(':')[0]!),
    );
  }
  return types;
}
