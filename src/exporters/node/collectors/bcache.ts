// Block caches and the file system that grew out of them: bcache and bcachefs, from what they show below /sys/fs. Both print sizes
// for people ("20.4G"); bcache's tenths are hundreds of the next smaller unit, as the kernel prints them.

import { noData } from '../../collector.ts';
import { Page } from '../../page.ts';
import { isMissing } from '../files.ts';
import { type CollectorMaker, fields, type Host, lines } from '../host.ts';

const UNITS = ['', ...'kMGTPEZY'];

/** "1.1M" as bcache means it: 1 MiB and 1 * 100 KiB. */
function bcacheNumber(text: string): number {
  const match = /^(-?)(\d+)(?:\.(\d))?([kMGTPEZY]?)/.exec(text.trim());
  if (!match) return Number.NaN;
  const scale = 1024 ** UNITS.indexOf(match[4]!);
  const value = Number(match[2]) * scale + (match[3] === undefined ? 0 : Number(match[3]) * 100 * (scale / 1024));
  return match[1] === '-' ? -value : value;
}

/** "2.05G": a decimal of the unit. */
function bcachefsNumber(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([kMGTPEZY]?)$/.exec(text.trim());
  return match ? Math.trunc(Number(match[1]) * 1024 ** UNITS.indexOf(match[2]!)) : Number.NaN;
}

type Kind = 'counter' | 'gauge';
type Row = readonly [file: string, metric: string, kind: Kind];

const SETS: readonly Row[] = [
  ['average_key_size', 'average_key_size_sectors', 'gauge'],
  ['btree_cache_size', 'btree_cache_size_bytes', 'gauge'],
  ['cache_available_percent', 'cache_available_percent', 'gauge'],
  ['congested', 'congested', 'gauge'],
  ['root_usage_percent', 'root_usage_percent', 'gauge'],
  ['tree_depth', 'tree_depth', 'gauge'],
  ['internal/active_journal_entries', 'active_journal_entries', 'gauge'],
  ['internal/btree_nodes', 'btree_nodes', 'gauge'],
  ['internal/cache_read_races', 'cache_read_races_total', 'counter'],
];
const BACKING: readonly Row[] = [
  ['dirty_data', 'dirty_data_bytes', 'gauge'],
  ['stats_total/bypassed', 'bypassed_bytes_total', 'counter'],
  ['stats_total/cache_hits', 'cache_hits_total', 'counter'],
  ['stats_total/cache_misses', 'cache_misses_total', 'counter'],
  ['stats_total/cache_bypass_hits', 'cache_bypass_hits_total', 'counter'],
  ['stats_total/cache_bypass_misses', 'cache_bypass_misses_total', 'counter'],
  ['stats_total/cache_miss_collisions', 'cache_miss_collisions_total', 'counter'],
];
const CACHES: readonly Row[] = [
  ['io_errors', 'io_errors', 'gauge'],
  ['metadata_written', 'metadata_written_bytes_total', 'counter'],
  ['written', 'written_bytes_total', 'counter'],
];
/** Lines of writeback_rate_debug. */
const WRITEBACK: Readonly<Record<string, string>> = {
  target: 'dirty_target_bytes',
  rate: 'writeback_rate',
  proportional: 'writeback_rate_proportional_term',
  integral: 'writeback_rate_integral_term',
  change: 'writeback_change',
};
const PRIORITY: Readonly<Record<string, string>> = {
  Unused: 'priority_stats_unused_percent',
  Metadata: 'priority_stats_metadata_percent',
};

/** Lines "key: value". */
const pairs = (text: string): [key: string, value: string][] =>
  lines(text).map((line) => {
    const at = line.indexOf(':');
    return [line.slice(0, at).trim(), line.slice(at + 1).trim()];
  });

export const bcache: CollectorMaker = (host) => {
  const withPriority = host.flag('collector.bcache.priorityStats') === 'true';
  return {
    collect() {
      const page = new Page();
      const root = host.sys('fs/bcache');
      for (const uuid of host.files.listMaybe(root)) {
        if (!/^[0-9a-f]{8}-/.test(uuid)) continue;
        const set = `${root}/${uuid}`;
        addRows(host, page, SETS, set, ['uuid', uuid]);
        const nanoseconds = host.files.number(`${set}/internal/btree_read_average_duration_us`);
        if (nanoseconds !== undefined)
          page.gauge(
            'node_bcache_btree_read_average_duration_seconds',
            'Average duration of a read of the tree.',
            nanoseconds * 1e-9,
            ['uuid', uuid],
          );
        for (const name of host.files.listMaybe(set)) {
          if (/^bdev\d+$/.test(name)) addBacking(host, page, `${set}/${name}`, ['backing_device', name, 'uuid', uuid]);
          if (/^cache\d+$/.test(name))
            addCache(host, page, `${set}/${name}`, ['cache_device', name, 'uuid', uuid], withPriority);
        }
      }
      return page.families();
    },
  };
};

function addRows(host: Host, page: Page, rows: readonly Row[], folder: string, labels: string[]): void {
  for (const [file, metric, kind] of rows) {
    const text = host.files.maybe(`${folder}/${file}`);
    if (text !== undefined) page.add(kind, `node_bcache_${metric}`, `bcache: ${metric}.`, bcacheNumber(text), labels);
  }
}

function addBacking(host: Host, page: Page, folder: string, labels: string[]): void {
  addRows(host, page, BACKING, folder, labels);
  const readaheads = host.files.number(`${folder}/stats_total/cache_readaheads`) ?? 0;
  if (readaheads !== 0)
    page.counter('node_bcache_cache_readaheads_total', 'bcache: cache_readaheads_total.', readaheads, labels);
  for (const [key, value] of pairs(host.files.maybe(`${folder}/writeback_rate_debug`) ?? '')) {
    const metric = WRITEBACK[key];
    if (metric !== undefined) page.gauge(`node_bcache_${metric}`, `bcache: ${metric}.`, bcacheNumber(value), labels);
  }
}

function addCache(host: Host, page: Page, folder: string, labels: string[], withPriority: boolean): void {
  addRows(host, page, CACHES, folder, labels);
  if (!withPriority) return;
  for (const [key, value] of pairs(host.files.maybe(`${folder}/priority_stats`) ?? '')) {
    const metric = PRIORITY[key];
    if (metric !== undefined) page.gauge(`node_bcache_${metric}`, `bcache: ${metric}.`, bcacheNumber(value), labels);
  }
}

export const bcachefs: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const root = host.sys('fs/bcachefs');
    let names: string[];
    try {
      names = host.files.list(root);
    } catch (error) {
      if (isMissing(error)) throw noData('there is no bcachefs', error);
      throw error;
    }
    const uuids = names.filter((name) => /^[0-9a-f]{8}-/.test(name));
    if (uuids.length === 0) throw noData('no bcachefs is mounted');
    for (const uuid of uuids) addBcachefs(host, page, `${root}/${uuid}`, uuid);
    return page.families();
  },
});

function addBcachefs(host: Host, page: Page, at: string, uuid: string): void {
  const add = (kind: Kind, metric: string, value: number, labels: string[] = []) =>
    page.add(kind, `node_bcachefs_${metric}`, `bcachefs: ${metric}.`, value, sorted([...labels, 'uuid', uuid]));
  const rows = (file: string) => lines(host.files.maybe(`${at}/${file}`) ?? '').map(fields);
  add('gauge', 'info', 1);
  add('gauge', 'btree_cache_size_bytes', bcachefsNumber(host.files.maybe(`${at}/btree_cache_size`) ?? '0'));
  for (const [algorithm, compressed, uncompressed] of rows('compression_stats').slice(1)) {
    if (uncompressed === undefined) continue;
    add('gauge', 'compression_compressed_bytes', bcachefsNumber(compressed!), ['algorithm', algorithm!]);
    add('gauge', 'compression_uncompressed_bytes', bcachefsNumber(uncompressed), ['algorithm', algorithm!]);
  }
  for (const [error, count] of rows('errors'))
    if (count !== undefined) add('counter', 'errors_total', Number(count), ['error_type', error!]);
  for (const counter of host.files.listMaybe(`${at}/counters`)) {
    const total = pairs(host.files.maybe(`${at}/counters/${counter}`) ?? '').find(
      ([key]) => key === 'since filesystem creation',
    );
    if (total) add('counter', `${counter.replace(/[^a-zA-Z0-9_]/g, '_')}_total`, bcachefsNumber(total[1]));
  }
  for (const [type, count, size] of rows('btree_write_stats').slice(1)) {
    if (size === undefined) continue;
    const labels = ['type', type!.replace(/:$/, '')];
    add('counter', 'btree_writes_total', Number(count), labels);
    add('gauge', 'btree_write_average_size_bytes', bcachefsNumber(size), labels);
  }
  for (const name of host.files.listMaybe(at)) {
    const device = /^dev-(\d+)$/.exec(name)?.[1];
    if (device !== undefined) addBcachefsDevice(host, add, `${at}/${name}`, device);
  }
}

function addBcachefsDevice(
  host: Host,
  add: (kind: Kind, metric: string, value: number, labels: string[]) => void,
  at: string,
  device: string,
): void {
  const text = (file: string) => host.files.maybe(`${at}/${file}`) ?? '';
  // As the kernel prints it: all states, the one in force in brackets.
  add('gauge', 'device_info', 1, ['device', device, 'label', text('label'), 'state', text('state')]);
  add('gauge', 'device_bucket_size_bytes', bcachefsNumber(text('bucket_size')), ['device', device]);
  add('gauge', 'device_buckets', Number(text('nbuckets')), ['device', device]);
  add('gauge', 'device_durability', Number(text('durability')), ['device', device]);
  let operation = '';
  for (const [key, value] of pairs(text('io_done'))) {
    if (value === '') operation = key;
    else
      add('counter', 'device_io_done_bytes_total', Number(value), [
        'data_type',
        key,
        'device',
        device,
        'operation',
        operation,
      ]);
  }
  // Errors since the file system was made come first, then those of a shorter time.
  const errors = lines(text('io_errors'));
  const end = errors.findIndex((line, i) => i > 0 && !/^\s/.test(line));
  for (const [type, value] of pairs(errors.slice(1, end < 0 ? undefined : end).join('\n')))
    add('counter', 'device_io_errors_total', Number(value), ['device', device, 'type', type]);
}

function sorted(labels: readonly string[]): string[] {
  const all: [string, string][] = [];
  for (let i = 0; i < labels.length; i += 2) all.push([labels[i]!, labels[i + 1]!]);
  return all.sort((a, b) => (a[0] < b[0] ? -1 : 1)).flat();
}
