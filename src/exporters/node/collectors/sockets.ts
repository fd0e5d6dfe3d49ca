// What the kernel's network stack counts: protocols, sockets, queues, connection tracking, ARP and virtual servers.

import { noData } from '../../collector.ts';
import { Page } from '../../page.ts';
import { compileFilter, compileSearch } from '../../pattern.ts';
import { isMissing } from '../files.ts';
import { type CollectorMaker, fields, type Host, lines } from '../host.ts';

const PAGE_BYTES = 4096;

export const netstat: CollectorMaker = (host) => {
  const wanted = compileSearch(host.flag('collector.netstat.fields'), 'collector.netstat.fields');
  return {
    collect() {
      const page = new Page();
      const add = (protocol: string, name: string, value: string) => {
        const key = `${protocol}_${name}`;
        if (wanted(key)) page.untyped(`node_netstat_${key}`, `Statistic ${protocol}${name}.`, Number(value));
      };
      for (const file of ['net/netstat', 'net/snmp']) {
        // Pairs of lines: names, then values, both starting with the protocol.
        const all = lines(host.files.text(host.proc(file)));
        for (let i = 0; i + 1 < all.length; i += 2) {
          const names = all[i]!.split(' ');
          const values = all[i + 1]!.split(' ');
          const protocol = names[0]!.slice(0, -1);
          for (let k = 1; k < names.length; k++) add(protocol, names[k]!, values[k]!);
        }
      }
      let text = '';
      try {
        text = host.files.text(host.proc('net/snmp6'));
      } catch (error) {
        // A host without IPv6.
        if (!isMissing(error)) throw error;
      }
      for (const line of lines(text)) {
        const [key, value] = fields(line) as [string, string];
        const six = key.indexOf('6');
        if (six >= 0) add(key.slice(0, six + 1), key.slice(six + 1), value);
      }
      return page.families();
    },
  };
};

export const sockstat: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    for (const file of ['net/sockstat', 'net/sockstat6']) {
      let text: string;
      try {
        text = host.files.text(host.proc(file));
      } catch (error) {
        if (isMissing(error)) continue;
        throw error;
      }
      for (const line of lines(text)) {
        const [head, ...pairs] = line.split(' ') as [string, ...string[]];
        const protocol = head.slice(0, -1);
        for (let i = 0; i + 1 < pairs.length; i += 2) {
          const value = Number(pairs[i + 1]);
          page.gauge(`node_sockstat_${protocol}_${pairs[i]}`, `Sockets: ${protocol} ${pairs[i]}.`, value);
          if (pairs[i] === 'mem')
            page.gauge(`node_sockstat_${protocol}_mem_bytes`, `Memory of ${protocol} sockets.`, value * PAGE_BYTES);
        }
      }
    }
    return page.families();
  },
});

const SOFTNET: readonly (readonly [column: number, metric: string, help: string])[] = [
  [0, 'processed_total', 'Packets processed.'],
  [1, 'dropped_total', 'Packets dropped.'],
  [2, 'times_squeezed_total', 'How often processing ran out of its quota.'],
  [8, 'cpu_collision_total', 'Collisions while taking the device lock.'],
  [9, 'received_rps_total', 'Wake-ups by another CPU for packet steering.'],
  [10, 'flow_limit_count_total', 'How often the flow limit was reached.'],
  [11, 'backlog_len', 'Packets waiting.'],
];

export const softnet: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    lines(host.files.text(host.proc('net/softnet_stat'))).forEach((line, row) => {
      {
        const columns = line.split(' ').map((word) => Number.parseInt(word, 16));
        const cpu = String(columns[12] ?? row);
        for (const [column, metric, help] of SOFTNET) {
          const type = metric.endsWith('_total') ? 'counter' : 'gauge';
          page.add(type, `node_softnet_${metric}`, help, columns[column] ?? 0, ['cpu', cpu]);
        }
      }
    });
    return page.families();
  },
});

export const arp: CollectorMaker = (host) => {
  const ignored = compileFilter(
    host.flag('collector.arp.device-exclude'),
    host.flag('collector.arp.device-include'),
    'collector.arp.device',
  );
  return {
    collect() {
      const page = new Page();
      const counts = new Map<string, number>();
      for (const line of lines(host.files.text(host.proc('net/arp'))).slice(1)) {
        const device = fields(line)[5];
        if (device !== undefined && !ignored(device)) counts.set(device, (counts.get(device) ?? 0) + 1);
      }
      for (const [device, count] of counts)
        page.gauge('node_arp_entries', 'ARP entries by device.', count, ['device', device]);
      return page.families();
    },
  };
};

const CONNTRACK = ['found', 'invalid', 'ignore', 'insert', 'insert_failed', 'drop', 'early_drop', 'search_restart'];

export const conntrack: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    try {
      const count = Number(host.files.text(host.proc('sys/net/netfilter/nf_conntrack_count')));
      const limit = Number(host.files.text(host.proc('sys/net/netfilter/nf_conntrack_max')));
      page.gauge('node_nf_conntrack_entries', 'Flows being tracked.', count);
      page.gauge('node_nf_conntrack_entries_limit', 'Most flows that can be tracked.', limit);
      const [head, ...rows] = lines(host.files.text(host.proc('net/stat/nf_conntrack')));
      const names = fields(head ?? '');
      for (const name of CONNTRACK) {
        // Newer kernels call it clash_resolve and keep its place.
        const column = names.indexOf(name);
        const sum = rows.reduce((total, row) => total + Number.parseInt(fields(row)[column] ?? '0', 16), 0);
        page.gauge(`node_nf_conntrack_stat_${name}`, `Connection tracking: ${name}.`, column < 0 ? 0 : sum);
      }
    } catch (error) {
      if (isMissing(error)) throw noData('connection tracking is not loaded', error);
      throw error;
    }
    return page.families();
  },
});

/** Sums of the hexadecimal queue column "tx:rx" of a socket table. */
function queues(host: Host, file: string): { tx: number; rx: number } | undefined {
  let text: string;
  try {
    text = host.files.text(host.proc(file));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  let [tx, rx] = [0, 0];
  for (const line of lines(text).slice(1)) {
    const column = fields(line)[4] ?? '0:0';
    const at = column.indexOf(':');
    tx += Number.parseInt(column.slice(0, at), 16);
    rx += Number.parseInt(column.slice(at + 1), 16);
  }
  return { tx, rx };
}

export const udpQueues: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    for (const [file, ip] of [
      ['net/udp', 'v4'],
      ['net/udp6', 'v6'],
    ] as const) {
      const sums = queues(host, file);
      if (!sums) continue;
      const help = 'Bytes in the queues of UDP sockets.';
      page.gauge('node_udp_queues', help, sums.tx, ['ip', ip, 'queue', 'tx']);
      page.gauge('node_udp_queues', help, sums.rx, ['ip', ip, 'queue', 'rx']);
    }
    if (page.families().length === 0) throw noData('no UDP socket table');
    return page.families();
  },
});

const TCP_STATES = [
  '',
  'established',
  'syn_sent',
  'syn_recv',
  'fin_wait1',
  'fin_wait2',
  'time_wait',
  'close',
  'close_wait',
  'last_ack',
  'listen',
  'closing',
];

export const tcpstat: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const counts = new Map<string, number>();
    for (const file of ['net/tcp', 'net/tcp6']) {
      const sums = queues(host, file);
      if (!sums) continue;
      counts.set('tx_queued_bytes', (counts.get('tx_queued_bytes') ?? 0) + sums.tx);
      counts.set('rx_queued_bytes', (counts.get('rx_queued_bytes') ?? 0) + sums.rx);
      for (const line of lines(host.files.text(host.proc(file))).slice(1)) {
        const state = TCP_STATES[Number.parseInt(fields(line)[3] ?? '0', 16)];
        if (state) counts.set(state, (counts.get(state) ?? 0) + 1);
      }
    }
    for (const [state, count] of counts)
      page.gauge('node_tcp_connection_states', 'TCP connections by state, and bytes queued.', count, ['state', state]);
    return page.families();
  },
});

const IPVS_TOTALS = [
  ['connections_total', 'Connections made.'],
  ['incoming_packets_total', 'Packets received.'],
  ['outgoing_packets_total', 'Packets sent.'],
  ['incoming_bytes_total', 'Bytes received.'],
  ['outgoing_bytes_total', 'Bytes sent.'],
] as const;

/** Linux virtual server: totals and backends. */
export const ipvs: CollectorMaker = (host) => {
  const wanted = host.flag('collector.ipvs.backend-labels').split(',').sort();
  return {
    collect() {
      const page = new Page();
      let stats: string[];
      try {
        stats = lines(host.files.text(host.proc('net/ip_vs_stats')));
      } catch (error) {
        if (isMissing(error)) throw noData('ipvs is not loaded', error);
        throw error;
      }
      const totals = fields(stats[2] ?? '').map((word) => Number.parseInt(word, 16));
      IPVS_TOTALS.forEach(([metric, help], i) => {
        page.counter(`node_ipvs_${metric}`, help, totals[i] ?? 0);
      });
      const sums = new Map<string, { labels: string[]; active: number; inactive: number; weight: number }>();
      for (const backend of ipvsBackends(lines(host.files.text(host.proc('net/ip_vs'))))) {
        const labels = wanted.flatMap((name) => [name, backend.labels[name] ?? '']);
        const key = labels.join('\xff');
        const sum = sums.get(key) ?? { labels, active: 0, inactive: 0, weight: 0 };
        sum.active += backend.active;
        sum.inactive += backend.inactive;
        sum.weight += backend.weight;
        sums.set(key, sum);
      }
      for (const { labels, active, inactive, weight } of sums.values()) {
        page.gauge('node_ipvs_backend_connections_active', 'Active connections of a backend.', active, labels);
        page.gauge('node_ipvs_backend_connections_inactive', 'Inactive connections of a backend.', inactive, labels);
        page.gauge('node_ipvs_backend_weight', 'Weight of a backend.', weight, labels);
      }
      return page.families();
    },
  };
};

type Backend = { labels: Record<string, string>; active: number; inactive: number; weight: number };

function* ipvsBackends(table: readonly string[]): Iterable<Backend> {
  let local: Record<string, string> = {};
  for (const line of table.slice(3)) {
    const parts = fields(line);
    if (parts[0] === 'TCP' || parts[0] === 'UDP') {
      const [address, port] = ipvsAddress(parts[1]!);
      local = { proto: parts[0], local_address: address, local_port: port, local_mark: '' };
    } else if (parts[0] === 'FWM') {
      local = { proto: 'FWM', local_address: '', local_port: '0', local_mark: parts[1]! };
    } else if (parts[0] === '->' && parts.length >= 6) {
      const [address, port] = ipvsAddress(parts[1]!);
      yield {
        labels: { ...local, remote_address: address, remote_port: port },
        weight: Number(parts[3]),
        active: Number(parts[4]),
        inactive: Number(parts[5]),
      };
    }
  }
}

function ipvsAddress(text: string): [address: string, port: string] {
  const six = /^\[(.*)\]:([0-9A-F]{4})$/i.exec(text);
  if (six) return [shortenIpv6(six[1]!), String(Number.parseInt(six[2]!, 16))];
  const address = text.slice(0, 8).match(/../g) ?? [];
  return [address.map((byte) => Number.parseInt(byte, 16)).join('.'), String(Number.parseInt(text.slice(9), 16))];
}

/** The canonical short form (RFC 5952), which URL parsing gives. */
function shortenIpv6(text: string): string {
  return new URL(`http://[${text}]`).hostname.slice(1, -1);
}
