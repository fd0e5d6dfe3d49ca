// Statistics of NFS mounts from /proc/self/mountstats, with the server's address from mountinfo, which lists the same mounts in the
// same order. A mount seen before (same export, protocol, address) is not counted twice.

import { Page } from '../../page.ts';
import { type CollectorMaker, fields, lines } from '../host.ts';

const BYTES = [
  'read_bytes_total',
  'write_bytes_total',
  'direct_read_bytes_total',
  'direct_write_bytes_total',
  'total_read_bytes_total',
  'total_write_bytes_total',
  'read_pages_total',
  'write_pages_total',
];
const EVENTS =
  'inode_revalidate dnode_revalidate data_invalidate attribute_invalidate vfs_open vfs_lookup vfs_access vfs_update_page vfs_read_page vfs_read_pages vfs_write_page vfs_write_pages vfs_getdents vfs_setattr vfs_flush vfs_fsync vfs_lock vfs_file_release - truncation write_extension silly_rename short_read short_write jukebox_delay pnfs_read pnfs_write'.split(
    ' ',
  );
/** Numbers after the protocol and the port. UDP has no connections. */
const TCP =
  'bind_total connect_total - idle_time_seconds sends_total receives_total bad_transaction_ids_total - backlog_queue_total maximum_rpc_slots sending_queue_total pending_queue_total'.split(
    ' ',
  );
const UDP =
  'bind_total sends_total receives_total bad_transaction_ids_total - backlog_queue_total maximum_rpc_slots sending_queue_total pending_queue_total'.split(
    ' ',
  );
const OPERATIONS: readonly (readonly [metric: string, divisor: number])[] = [
  ['requests_total', 1],
  ['transmissions_total', 1],
  ['major_timeouts_total', 1],
  ['sent_bytes_total', 1],
  ['received_bytes_total', 1],
  ['queue_time_seconds_total', 1000],
  ['response_time_seconds_total', 1000],
  ['request_time_seconds_total', 1000],
];

/** Counters of the kernel have 64 bits; doubles keep the lower 53, which is what rates need. */
const number = (text: string | undefined): number => Number(BigInt(text ?? '0') % 2n ** 53n);

type Transport = { readonly protocol: string; readonly numbers: readonly string[] };
type Mount = {
  readonly device: string;
  readonly point: string;
  /** Place in the list of all mounts. */
  readonly index: number;
  age: number;
  bytes: string[];
  events: string[];
  transports: Transport[];
  operations: (readonly [name: string, numbers: string[]])[];
};

function readMounts(text: string): Mount[] {
  const mounts: Mount[] = [];
  let mount: Mount | undefined;
  let index = 0;
  for (const line of lines(text)) {
    const device = /^device (\S+) mounted on (\S+) with fstype (\S+)/.exec(line);
    if (device) {
      const isNfs = device[3] === 'nfs' || device[3] === 'nfs4';
      mount = isNfs
        ? {
            device: device[1]!,
            point: device[2]!,
            index,
            age: 0,
            bytes: [],
            events: [],
            transports: [],
            operations: [],
          }
        : undefined;
      if (mount) mounts.push(mount);
      index++;
      continue;
    }
    const [key, ...rest] = fields(line);
    if (!mount || key === undefined) continue;
    if (key === 'age:') mount.age = number(rest[0]);
    else if (key === 'bytes:') mount.bytes = rest;
    else if (key === 'events:') mount.events = rest;
    else if (key === 'xprt:') mount.transports.push({ protocol: rest[0]!, numbers: rest.slice(2) });
    else if (/^[A-Z_]+:$/.test(key) && rest.length >= OPERATIONS.length)
      mount.operations.push([key.slice(0, -1), rest]);
  }
  return mounts;
}

export const mountstats: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const info = lines(host.files.text(host.proc('self/mountinfo')));
    const seen = new Set<string>();
    for (const mount of readMounts(host.files.text(host.proc('self/mountstats')))) {
      const address =
        /(?:^|,)addr=([^,]+)/.exec(info[mount.index]?.split(' - ')[1]?.split(' ').at(-1) ?? '')?.[1] ?? '';
      for (const { protocol } of mount.transports) {
        const point = `${mount.device} ${protocol} ${address} ${mount.point}`;
        if (!seen.has(point))
          page.gauge('node_mountstats_nfs_mountpoint_info', 'Where an NFS export is mounted.', 1, [
            'export',
            mount.device,
            'mountaddr',
            address,
            'mountpoint',
            mount.point,
            'protocol',
            protocol,
          ]);
        seen.add(point);
        const device = `${mount.device} ${protocol} ${address}`;
        if (seen.has(device)) break;
        seen.add(device);
        addMount(page, mount, ['export', mount.device, 'mountaddr', address], protocol);
      }
    }
    return page.families();
  },
});

function addMount(page: Page, mount: Mount, labels: readonly string[], protocol: string): void {
  const add = (metric: string, value: number, middle: readonly string[] = [], after: readonly string[] = []) =>
    page.add(
      metric.endsWith('_total') ? 'counter' : 'gauge',
      `node_mountstats_nfs_${metric}`,
      `NFS mount: ${metric}.`,
      value,
      [...labels, ...middle, 'protocol', protocol, ...after],
    );
  add('age_seconds_total', mount.age);
  BYTES.forEach((metric, i) => {
    add(metric, number(mount.bytes[i]));
  });
  EVENTS.forEach((event, i) => {
    if (event !== '-') add(`event_${event}_total`, number(mount.events[i]));
  });
  mount.transports.forEach((transport, i) => {
    (transport.protocol === 'udp' ? UDP : TCP).forEach((metric, k) => {
      if (metric !== '-') add(`transport_${metric}`, number(transport.numbers[k]), [], ['transport', String(i)]);
    });
    if (transport.protocol === 'udp') {
      add('transport_connect_total', 0, [], ['transport', String(i)]);
      add('transport_idle_time_seconds', 0, [], ['transport', String(i)]);
    }
  });
  for (const [operation, numbers] of mount.operations)
    OPERATIONS.forEach(([metric, divisor], i) => {
      add(`operations_${metric}`, number(numbers[i]) / divisor, ['operation', operation]);
    });
}
