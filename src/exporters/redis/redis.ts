// Redis under redis_exporter's names, over its own protocol (RESP) on a raw connection: INFO, CONFIG, SLOWLOG and LATENCY.

import net from 'node:net';
import tls from 'node:tls';
import type { Page } from '../page.ts';
import type { SourceKind } from '../source.ts';
import { FIELDS } from './fields.ts';
import { addClusterInfo, addLatencies, addPercentiles, addSentinel, addSlowLog, keyed } from './more.ts';

export type Reply = string | number | null | Reply[] | Error;

const MAX_REPLY_BYTES = 16 * 1024 * 1024;

/** Reads one reply; undefined when the bytes end before it does. Gives the position after it. */
export function readReply(bytes: Buffer, at = 0): { value: Reply; end: number } | undefined {
  const lineEnd = bytes.indexOf('\r\n', at);
  if (lineEnd < 0) return undefined;
  const line = bytes.toString('utf8', at + 1, lineEnd);
  const end = lineEnd + 2;
  switch (bytes[at]) {
    case 0x2b:
      return { value: line, end };
    case 0x2d:
      return { value: new Error(line), end };
    case 0x3a:
      return { value: Number(line), end };
    case 0x24: {
      const length = Number(line);
      if (length < 0) return { value: null, end };
      if (bytes.length < end + length + 2) return undefined;
      return { value: bytes.toString('utf8', end, end + length), end: end + length + 2 };
    }
    case 0x2a: {
      const items: Reply[] = [];
      let next = end;
      for (let i = 0; i < Number(line); i++) {
        const item = readReply(bytes, next);
        if (!item) return undefined;
        items.push(item.value);
        next = item.end;
      }
      return { value: items, end: next };
    }
    default:
      throw new Error(`unexpected byte ${bytes[at]} in a reply`);
  }
}

const encode = (words: readonly string[]) =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;

/** Sends all commands at once and gives their replies in order. */
function converse(
  url: URL,
  timeoutMs: number,
  commands: readonly (readonly string[])[],
  signal: AbortSignal,
): Promise<Reply[]> {
  return new Promise((resolve, reject) => {
    const port = Number(url.port || 6379);
    const host = url.hostname.replace(/^\[|\]$/g, '') || '127.0.0.1';
    const socket =
      url.protocol === 'rediss:' ? tls.connect({ host, port, servername: host }) : net.connect({ host, port });
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    signal.addEventListener('abort', () => socket.destroy(new Error('the scrape was cancelled')), { once: true });
    const replies: Reply[] = [];
    let buffer = Buffer.alloc(0);
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the server closed the connection')));
    socket.on('data', (chunk) => {
      buffer = Buffer.concat([buffer, chunk]);
      if (buffer.length > MAX_REPLY_BYTES) socket.destroy(new Error('the reply is too large'));
      try {
        for (let reply = readReply(buffer); reply; reply = buffer.length > 0 ? readReply(buffer) : undefined) {
          replies.push(reply.value);
          buffer = buffer.subarray(reply.end);
        }
      } catch (error) {
        socket.destroy(error as Error);
      }
      if (replies.length === commands.length) {
        resolve(replies);
        socket.end();
      }
    });
    socket.write(commands.map(encode).join(''));
  });
}

export const redisKind: SourceKind = {
  up: 'redis_up',
  create(source, { clock }) {
    let scrapes = 0;
    return {
      close: async () => {},
      async read(page, signal) {
        const started = clock.monotonic();
        const url = new URL(source.url);
        const password = decodeURIComponent(url.password);
        const user = decodeURIComponent(url.username);
        const login = password === '' ? [] : [user === '' ? ['AUTH', password] : ['AUTH', user, password]];
        const commands = [
          ...login,
          ['INFO', 'all'],
          ['CONFIG', 'GET', 'max*'],
          ['CONFIG', 'GET', 'client-output-buffer-limit'],
          ['SLOWLOG', 'LEN'],
          ['SLOWLOG', 'GET', '1'],
          ['LATENCY', 'LATEST'],
          ['LATENCY', 'HISTOGRAM'],
          ['CLUSTER', 'INFO'],
          // Of modules and of a sentinel: a server without them leaves these sections out.
          ['INFO', 'everything'],
          ['INFO', 'sentinel'],
        ];
        const replies = await converse(url, source.timeoutMs, commands, signal);
        if (login.length > 0 && replies[0] instanceof Error) throw replies[0];
        const [info, config, limits, slowCount, slowest, latency, histograms, cluster, modules, sentinel] =
          replies.slice(login.length);
        if (typeof info !== 'string') throw info instanceof Error ? info : new Error('INFO gave no text');
        const sections = [info, modules, sentinel].filter((one) => typeof one === 'string');
        const fields = readInfo(sections.join('\r\n'));
        addInfo(page, fields);
        addPercentiles(page, fields);
        addSentinel(page, fields);
        addConfig(page, config);
        addConfig(page, limits);
        addSlowLog(page, slowCount, slowest);
        if (Array.isArray(latency)) addLatency(page, latency);
        addLatencies(page, histograms);
        if (fields.get('cluster_enabled') === '1') addClusterInfo(page, cluster);
        page.gauge('redis_exporter_last_scrape_error', 'Whether the last scrape failed.', 0);
        page.counter('redis_exporter_scrapes_total', 'Scrapes of this server.', ++scrapes);
        const took = (clock.monotonic() - started) / 1000;
        page.gauge('redis_exporter_last_scrape_duration_seconds', 'How long this scrape took.', took);
      },
    };
  },
};

/** Lines `name:value`; of modules, of which there may be many, all are kept under names of their own. */
function readInfo(info: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of info.split('\r\n')) {
    const at = line.indexOf(':');
    if (at <= 0 || line.startsWith('#')) continue;
    const [key, value] = [line.slice(0, at), line.slice(at + 1)];
    fields.set(key === 'module' ? `module ${value}` : key, value);
  }
  return fields;
}

function addInfo(page: Page, fields: ReadonlyMap<string, string>): void {
  for (const [key, value] of fields) {
    const known = FIELDS[key];
    const number = Number(value);
    if (known && value !== '' && !Number.isNaN(number))
      page.add(known[1], `redis_${known[0]}`, `INFO field ${key}.`, number, []);
    addKeyed(page, key, value);
  }
  const text = (key: string) => fields.get(key) ?? '';
  page.gauge('redis_instance_info', 'What kind of server this is.', 1, [
    'master_replid',
    text('master_replid'),
    'maxmemory_policy',
    text('maxmemory_policy'),
    'os',
    text('os'),
    'process_id',
    text('process_id'),
    'redis_build_id',
    text('redis_build_id'),
    'redis_mode',
    text('redis_mode'),
    'redis_version',
    text('redis_version'),
    'role',
    text('role'),
    'run_id',
    text('run_id'),
    'tcp_port',
    text('tcp_port'),
  ]);
  const now = Number(text('server_time_usec')) / 1e6;
  if (now > 0)
    page.gauge('redis_start_time_seconds', 'When the server started.', now - Number(text('uptime_in_seconds')));
  for (const [key, metric] of [
    ['rdb_last_bgsave_status', 'rdb_last_bgsave_status'],
    ['aof_last_bgrewrite_status', 'aof_last_bgrewrite_status'],
    ['aof_last_write_status', 'aof_last_write_status'],
  ] as const)
    if (fields.has(key)) page.gauge(`redis_${metric}`, `1 if ${key} is ok.`, text(key) === 'ok' ? 1 : 0);
  if (text('role') === 'slave') addReplica(page, text);
}

function addReplica(page: Page, text: (key: string) => string): void {
  const labels = ['master_host', text('master_host'), 'master_port', text('master_port')];
  const isUp = text('master_link_status') === 'up';
  page.gauge('redis_master_link_up', 'Whether the link to the master is up.', isUp ? 1 : 0, labels);
  for (const key of ['master_last_io_seconds_ago', 'master_sync_in_progress', 'slave_repl_offset'])
    if (text(key) !== '') page.gauge(`redis_${key}`, `INFO field ${key}.`, Number(text(key)), labels);
  page.gauge('redis_slave_info', 'That this is a replica.', 1, [...labels, 'read_only', text('slave_read_only')]);
}

/** Fields with values of their own: "db0:keys=1,expires=0,avg_ttl=0", "cmdstat_get:calls=2,usec=5,...". */
function addKeyed(page: Page, key: string, value: string): void {
  const parts = keyed(value);
  const number = (name: string) => Number(parts.get(name) ?? 0);
  if (/^db\d+$/.test(key)) {
    const labels = ['db', key];
    page.gauge('redis_db_keys', 'Keys by database.', number('keys'), labels);
    page.gauge('redis_db_keys_expiring', 'Keys that expire, by database.', number('expires'), labels);
    if (parts.has('cached_keys'))
      page.gauge('redis_db_keys_cached', 'Cached keys by database.', number('cached_keys'), labels);
    page.gauge('redis_db_avg_ttl_seconds', 'Average time to live.', number('avg_ttl') / 1000, labels);
  } else if (key.startsWith('cmdstat_')) {
    const labels = ['cmd', key.slice('cmdstat_'.length)];
    page.counter('redis_commands_total', 'Calls by command.', number('calls'), labels);
    page.counter('redis_commands_duration_seconds_total', 'Time by command.', number('usec') / 1e6, labels);
    page.counter('redis_commands_failed_calls_total', 'Failed calls by command.', number('failed_calls'), labels);
    page.counter('redis_commands_rejected_calls_total', 'Rejected calls by command.', number('rejected_calls'), labels);
  } else if (key.startsWith('errorstat_'))
    page.counter('redis_errors_total', 'Errors by kind.', number('count'), ['err', key.slice('errorstat_'.length)]);
  else if (key.startsWith('module ')) {
    const names = ['api', 'filters', 'name', 'usedby', 'using', 'ver'];
    const labels = names.flatMap((name) => [name, parts.get(name) ?? '']);
    page.gauge('redis_module_info', 'A module that is loaded.', 1, labels);
  } else if (/^slave\d+$/.test(key)) {
    const labels = [
      'slave_ip',
      parts.get('ip') ?? '',
      'slave_port',
      parts.get('port') ?? '',
      'slave_state',
      parts.get('state') ?? '',
    ];
    page.gauge('redis_connected_slave_offset_bytes', 'Offset of a replica.', number('offset'), labels);
    page.gauge('redis_connected_slave_lag_seconds', 'Lag of a replica.', number('lag'), labels);
  }
}

function addConfig(page: Page, config: Reply | undefined): void {
  if (!Array.isArray(config)) return;
  for (let i = 0; i + 1 < config.length; i += 2) {
    const [key, text] = [String(config[i]), String(config[i + 1])];
    const value = Number(text);
    if ((key === 'maxmemory' || key === 'maxclients') && text !== '' && !Number.isNaN(value)) {
      page.gauge(`redis_config_${key}`, `Configuration: ${key}.`, value);
      page.gauge('redis_config_value', 'Configuration.', value, ['key', key]);
    }
    if (key === 'client-output-buffer-limit') addBufferLimits(page, text);
  }
}

/** "normal 0 0 0 slave 268435456 67108864 60 ...": class, hard limit, soft limit, for how many seconds. */
function addBufferLimits(page: Page, text: string): void {
  const words = text.split(' ');
  for (let i = 0; i + 3 < words.length; i += 4) {
    const [kind = '', hard, soft, seconds] = words.slice(i, i + 4);
    const name = 'redis_config_client_output_buffer_limit';
    for (const [limit, value] of [
      ['hard', hard],
      ['soft', soft],
    ] as const)
      page.gauge(`${name}_bytes`, 'Limits of output buffers.', Number(value), ['class', kind, 'limit', limit]);
    const labels = ['class', kind, 'limit', 'soft'];
    page.gauge(`${name}_overcome_seconds`, 'For how long the soft limit may be exceeded.', Number(seconds), labels);
  }
}

function addLatency(page: Page, latency: readonly Reply[]): void {
  for (const event of latency) {
    if (!Array.isArray(event)) continue;
    const labels = ['event_name', String(event[0])];
    page.gauge('redis_latency_spike_last', 'When the latest spike was.', Number(event[1]), labels);
    page.gauge(
      'redis_latency_spike_duration_seconds',
      'How long the latest spike was.',
      Number(event[2]) / 1000,
      labels,
    );
  }
}
