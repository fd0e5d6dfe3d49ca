// File systems and arrays that count for themselves: XFS, ZFS, Btrfs, bcache, software RAID. Tables say which number of which line becomes
// which metric.

import { noData } from '../../collector.ts';
import { Page } from '../../page.ts';
import { isMissing } from '../files.ts';
import { type CollectorMaker, fields, type Host, lines } from '../host.ts';

/** Line of the statistics file: the metrics of its numbers, in order ('' for none). */
const XFS: Readonly<Record<string, readonly string[]>> = {
  extent_alloc: [
    'extent_allocation_extents_allocated_total',
    'extent_allocation_blocks_allocated_total',
    'extent_allocation_extents_freed_total',
    'extent_allocation_blocks_freed_total',
  ],
  abt: [
    'allocation_btree_lookups_total',
    'allocation_btree_compares_total',
    'allocation_btree_records_inserted_total',
    'allocation_btree_records_deleted_total',
  ],
  blk_map: [
    'block_mapping_reads_total',
    'block_mapping_writes_total',
    'block_mapping_unmaps_total',
    'block_mapping_extent_list_insertions_total',
    'block_mapping_extent_list_deletions_total',
    'block_mapping_extent_list_lookups_total',
    'block_mapping_extent_list_compares_total',
  ],
  bmbt: [
    'block_map_btree_lookups_total',
    'block_map_btree_compares_total',
    'block_map_btree_records_inserted_total',
    'block_map_btree_records_deleted_total',
  ],
  dir: [
    'directory_operation_lookup_total',
    'directory_operation_create_total',
    'directory_operation_remove_total',
    'directory_operation_getdents_total',
  ],
  ig: [
    'inode_operation_attempts_total',
    'inode_operation_found_total',
    'inode_operation_recycled_total',
    'inode_operation_missed_total',
    'inode_operation_duplicates_total',
    'inode_operation_reclaims_total',
    'inode_operation_attribute_changes_total',
  ],
  rw: ['write_calls_total', 'read_calls_total'],
  vnodes: [
    'vnode_active_total',
    'vnode_allocate_total',
    'vnode_get_total',
    'vnode_hold_total',
    'vnode_release_total',
    'vnode_reclaim_total',
    'vnode_remove_total',
  ],
};

export const xfs: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const folder = host.sys('fs/xfs');
    for (const device of host.files.listMaybe(folder)) {
      const text = host.files.maybe(`${folder}/${device}/stats/stats`);
      if (text === undefined || device === 'stats') continue;
      for (const line of lines(text)) {
        const [key, ...numbers] = line.split(' ') as [string, ...string[]];
        XFS[key]?.forEach((metric, i) => {
          page.counter(`node_xfs_${metric}`, `XFS: ${key}, number ${i + 1}.`, Number(numbers[i] ?? 0), [
            'device',
            device,
          ]);
        });
      }
    }
    return page.families();
  },
});

const ZFS_FILES: Readonly<Record<string, string>> = {
  zfs_abd: 'abdstats',
  zfs_arc: 'arcstats',
  zfs_dbuf: 'dbufstats',
  zfs_dmu_tx: 'dmu_tx',
  zfs_dnode: 'dnodestats',
  zfs_fm: 'fm',
  zfs_vdev_cache: 'vdev_cache_stats',
  zfs_vdev_mirror: 'vdev_mirror_stats',
  zfs_xuio: 'xuio_stats',
  zfs_zfetch: 'zfetchstats',
  zfs_zil: 'zil',
};
const ZPOOL_STATES = ['online', 'degraded', 'faulted', 'offline', 'removed', 'unavail', 'suspended'];
const SIGNED = '3';
const UNSIGNED = '4';

/** Rows "name type data" of a kernel statistics file. */
function* kstats(text: string): Iterable<readonly [name: string, type: string, data: string]> {
  let started = false;
  for (const line of lines(text)) {
    const parts = fields(line);
    // Data may be a name with spaces in it.
    if (started && parts.length >= 3) yield [parts[0]!, parts[1]!, line.replace(/^\s*\S+\s+\S+\s+/, '')];
    else if (parts.join(' ') === 'name type data') started = true;
  }
}

export const zfs: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const folder = host.proc('spl/kstat/zfs');
    if (!host.files.exists(folder)) throw noData('ZFS is not loaded');
    for (const [subsystem, file] of Object.entries(ZFS_FILES)) {
      const text = host.files.maybe(`${folder}/${file}`);
      if (text === undefined) continue;
      for (const [name, type, data] of kstats(text))
        if (type === SIGNED || type === UNSIGNED)
          page.untyped(`node_${subsystem}_${name.replace(/-/g, '_')}`, `ZFS: ${file} ${name}.`, Number(data));
    }
    for (const pool of host.files.listMaybe(folder))
      if (host.files.isFolder(`${folder}/${pool}`)) addPool(host, page, `${folder}/${pool}`, pool);
    return page.families();
  },
});

function addPool(host: Host, page: Page, at: string, zpool: string): void {
  const io = lines(host.files.maybe(`${at}/io`) ?? '').map(fields);
  const head = io.findIndex((row) => row[0] === 'nread');
  if (head >= 0)
    io[head]!.forEach((name, i) => {
      page.untyped(`node_zfs_zpool_${name}`, `ZFS pool: ${name}.`, Number(io[head + 1]?.[i] ?? 0), ['zpool', zpool]);
    });
  for (const file of host.files.listMaybe(at)) {
    if (!file.startsWith('objset-')) continue;
    let dataset = '';
    for (const [name, type, data] of kstats(host.files.maybe(`${at}/${file}`) ?? '')) {
      if (name === 'dataset_name') dataset = data;
      else if (type === UNSIGNED)
        page.untyped(`node_zfs_zpool_dataset_${name}`, `ZFS dataset: ${name}.`, Number(data), [
          'dataset',
          dataset,
          'zpool',
          zpool,
        ]);
    }
  }
  const state = host.files.maybe(`${at}/state`)?.toLowerCase();
  if (state === undefined) return;
  for (const one of ZPOOL_STATES)
    page.gauge('node_zfs_zpool_state', 'State of a pool.', one === state ? 1 : 0, ['state', one, 'zpool', zpool]);
}

/** How many times a profile writes each byte; parity profiles depend on the number of devices. */
function btrfsRatio(mode: string, devices: number): number {
  switch (mode) {
    case 'dup':
    case 'raid1':
    case 'raid10':
      return 2;
    case 'raid1c3':
      return 3;
    case 'raid1c4':
      return 4;
    case 'raid5':
      return devices > 1 ? devices / (devices - 1) : 1;
    case 'raid6':
      return devices > 2 ? devices / (devices - 2) : 1;
    default:
      return 1;
  }
}

export const btrfs: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const folder = host.sys('fs/btrfs');
    for (const uuid of host.files.listMaybe(folder)) {
      const at = `${folder}/${uuid}`;
      if (!/^[0-9a-f]{8}-/.test(uuid) || !host.files.isFolder(`${at}/allocation`)) continue;
      const gauge = (metric: string, value: number, labels: string[] = []) =>
        page.gauge(`node_btrfs_${metric}`, `Btrfs: ${metric}.`, value, [...labels, 'uuid', uuid]);
      gauge('info', 1, ['label', host.files.maybe(`${at}/label`) ?? '']);
      gauge('global_rsv_size_bytes', host.files.number(`${at}/allocation/global_rsv_size`) ?? 0);
      const commits = new Map(
        lines(host.files.maybe(`${at}/commit_stats`) ?? '').map((line) => fields(line) as [string, string]),
      );
      const commit = (name: string) => Number(commits.get(name) ?? 0);
      page.counter('node_btrfs_commits_total', 'Commits.', commit('commits'), ['uuid', uuid]);
      gauge('last_commit_seconds', commit('last_commit_ms') / 1000);
      gauge('max_commit_seconds', commit('max_commit_ms') / 1000);
      page.counter('node_btrfs_commit_seconds_total', 'Time of commits.', commit('total_commit_ms') / 1000, [
        'uuid',
        uuid,
      ]);
      const devices = host.files.listMaybe(`${at}/devices`);
      for (const device of devices) {
        const sectors = host.files.number(`${at}/devices/${device}/size`);
        if (sectors !== undefined) gauge('device_size_bytes', sectors * 512, ['device', device]);
      }
      for (const type of ['data', 'metadata', 'system']) {
        const group = `${at}/allocation/${type}`;
        if (!host.files.exists(group)) continue;
        gauge('reserved_bytes', host.files.number(`${group}/bytes_reserved`) ?? 0, ['block_group_type', type]);
        for (const mode of host.files.listMaybe(group)) {
          const total = host.files.number(`${group}/${mode}/total_bytes`);
          if (total === undefined) continue;
          const labels = ['block_group_type', type, 'mode', mode];
          gauge('used_bytes', host.files.number(`${group}/${mode}/used_bytes`) ?? 0, labels);
          gauge('size_bytes', total, labels);
          gauge('allocation_ratio', btrfsRatio(mode, devices.length), labels);
        }
      }
    }
    return page.families();
  },
});

type Raid = {
  name: string;
  state: string;
  total: number;
  active: number;
  failed: number;
  spare: number;
  blocks: number;
  synced: number;
};

export const mdadm: CollectorMaker = (host) => ({
  collect() {
    let text: string;
    try {
      text = host.files.text(host.proc('mdstat'));
    } catch (error) {
      if (isMissing(error)) throw noData('there is no software RAID', error);
      throw error;
    }
    const page = new Page();
    for (const raid of readMdstat(lines(text))) {
      const labels = ['device', raid.name];
      for (const [state, count] of [
        ['active', raid.active],
        ['failed', raid.failed],
        ['spare', raid.spare],
      ] as const)
        page.gauge('node_md_disks', 'Disks of an array by state.', count, [...labels, 'state', state]);
      page.gauge('node_md_disks_required', 'Disks an array should have.', raid.total, labels);
      for (const state of ['active', 'inactive', 'recovering', 'resync', 'check'])
        page.gauge('node_md_state', 'State of an array.', raid.state === state ? 1 : 0, [...labels, 'state', state]);
      page.gauge('node_md_blocks', 'Blocks of an array.', raid.blocks, labels);
      page.gauge('node_md_blocks_synced', 'Blocks synced.', raid.synced, labels);
    }
    for (const device of host.files.listMaybe(host.sys('block'))) {
      const at = host.sys('block', device, 'md');
      if (!/^md/.test(device) || !host.files.exists(at)) continue;
      const disks = host.files.number(`${at}/raid_disks`);
      if (disks !== undefined) page.gauge('node_md_raid_disks', 'Disks of an array.', disks, ['device', device]);
      const degraded = host.files.number(`${at}/degraded`) ?? 0;
      page.gauge('node_md_degraded', 'Disks missing from an array.', degraded, ['device', device]);
    }
    return page.families();
  },
});

function readMdstat(all: readonly string[]): Raid[] {
  const raids: Raid[] = [];
  for (let i = 0; i < all.length; i++) {
    const match = /^(md\S*|\S+) : (active|inactive)\b(.*)$/.exec(all[i]!);
    if (!match) continue;
    const detail = all[i + 1] ?? '';
    const failed = (match[3]!.match(/\(F\)/g) ?? []).length;
    const spare = (match[3]!.match(/\(S\)/g) ?? []).length;
    const listed = (match[3]!.match(/\[\d+\]/g) ?? []).length;
    const blocks = Number(/(\d+) blocks/.exec(detail)?.[1] ?? 0);
    const counts = /\[(\d+)\/(\d+)\]/.exec(detail);
    const isActive = match[2] === 'active';
    const raid: Raid = {
      name: match[1]!,
      state: match[2]!,
      total: isActive ? Number(counts?.[1] ?? listed) : 0,
      active: isActive ? Number(counts?.[2] ?? listed) : 0,
      failed,
      spare,
      blocks,
      synced: blocks,
    };
    for (let k = i + 2; k < all.length && all[k]!.startsWith(' '); k++) addProgress(raid, all[k]!);
    raids.push(raid);
  }
  return raids;
}

function addProgress(raid: Raid, line: string): void {
  const kind = /\b(recovery|reshape|resync|check)\b/.exec(line)?.[1];
  if (!kind) return;
  raid.state = kind === 'recovery' || kind === 'reshape' ? 'recovering' : kind;
  if (/PENDING|DELAYED|REMOTE/.test(line)) raid.synced = 0;
  else raid.synced = Number(/\((\d+)\/\d+\)/.exec(line)?.[1] ?? raid.synced);
}
