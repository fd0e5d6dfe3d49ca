// HAProxy under haproxy_exporter's names, from its statistics as CSV: over HTTP ("http://host/stats") or the admin socket
// ("unix:///run/haproxy.sock").

import net from 'node:net';
import type { Page } from '../page.ts';
import { httpText, type SourceKind } from '../source.ts';

type Column = readonly [csv: string, metric: string, type: 'counter' | 'gauge', help: string, divisor?: number];

const SHARED: readonly Column[] = [
  ['scur', 'current_sessions', 'gauge', 'Sessions now.'],
  ['smax', 'max_sessions', 'gauge', 'Most sessions at a time.'],
  ['stot', 'sessions_total', 'counter', 'Sessions.'],
  ['bin', 'bytes_in_total', 'counter', 'Bytes received.'],
  ['bout', 'bytes_out_total', 'counter', 'Bytes sent.'],
];
const RATES: readonly Column[] = [
  ['rate', 'current_session_rate', 'gauge', 'Sessions in the last second.'],
  ['rate_max', 'max_session_rate', 'gauge', 'Most sessions in a second.'],
];
const SERVED: readonly Column[] = [
  ['qcur', 'current_queue', 'gauge', 'Requests queued now.'],
  ['qmax', 'max_queue', 'gauge', 'Most requests queued.'],
  ['econ', 'connection_errors_total', 'counter', 'Connection errors.'],
  ['eresp', 'response_errors_total', 'counter', 'Response errors.'],
  ['wretr', 'retry_warnings_total', 'counter', 'Retries.'],
  ['wredis', 'redispatch_warnings_total', 'counter', 'Redispatches.'],
  ['weight', 'weight', 'gauge', 'Weight.'],
  ['qtime', 'http_queue_time_average_seconds', 'gauge', 'Average time in the queue.', 1000],
  ['ctime', 'http_connect_time_average_seconds', 'gauge', 'Average time to connect.', 1000],
  ['rtime', 'http_response_time_average_seconds', 'gauge', 'Average time to respond.', 1000],
  ['ttime', 'http_total_time_average_seconds', 'gauge', 'Average time in all.', 1000],
];
const FRONTEND: readonly Column[] = [
  ...SHARED,
  ...RATES,
  ['slim', 'limit_sessions', 'gauge', 'Limit of sessions.'],
  ['rate_lim', 'limit_session_rate', 'gauge', 'Limit of sessions in a second.'],
  ['dreq', 'requests_denied_total', 'counter', 'Requests denied.'],
  ['ereq', 'request_errors_total', 'counter', 'Request errors.'],
  ['req_tot', 'http_requests_total', 'counter', 'Requests.'],
  ['conn_tot', 'connections_total', 'counter', 'Connections.'],
];
const BACKEND: readonly Column[] = [
  ...SHARED,
  ...RATES,
  ...SERVED,
  ['slim', 'limit_sessions', 'gauge', 'Limit of sessions.'],
  ['act', 'current_server', 'gauge', 'Active servers.'],
  ['chkdown', 'check_down_total', 'counter', 'Changes to down.'],
  ['downtime', 'downtime_seconds_total', 'counter', 'Seconds it was down.'],
];
const SERVER: readonly Column[] = [
  ...SHARED,
  ...RATES,
  ...SERVED,
  ['chkfail', 'check_failures_total', 'counter', 'Failed checks.'],
  ['downtime', 'downtime_seconds_total', 'counter', 'Seconds it was down.'],
  ['check_duration', 'check_duration_seconds', 'gauge', 'Duration of the last check.', 1000],
];
const UP = new Set(['UP', 'UP 1/2', 'UP 1/3', 'UP 2/3', 'OPEN', 'no check', 'DRAIN']);

export const haproxyKind: SourceKind = {
  up: 'haproxy_up',
  create: (source, environment) => ({
    close: async () => {},
    async read(page, signal) {
      const socket = /^unix:\/\/(.+)$/.exec(source.url)?.[1];
      if (socket) {
        addInfo(page, await ask(socket, 'show info', source.timeoutMs, signal));
        addStats(page, await ask(socket, 'show stat', source.timeoutMs, signal));
      } else
        addStats(
          page,
          await httpText({ ...source, url: `${source.url.replace(/;csv$/, '')};csv` }, '', environment, signal),
        );
    },
  }),
};

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

function ask(path: string, command: string, timeoutMs: number, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = net.connect({ path });
    socket.setEncoding('utf8');
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)));
    signal.addEventListener('abort', () => socket.destroy(new Error('the scrape was cancelled')), { once: true });
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.length > MAX_ANSWER_BYTES) socket.destroy(new Error('the answer is too large'));
    });
    socket.on('error', reject);
    socket.on('end', () => resolve(text));
    socket.write(`${command}\n`);
  });
}

function addInfo(page: Page, text: string): void {
  const info = new Map(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf(':');
      return at > 0 ? [[line.slice(0, at), line.slice(at + 1).trim()] as const] : [];
    }),
  );
  page.gauge('haproxy_version_info', 'The version of HAProxy.', 1, [
    'release_date',
    info.get('Release_date') ?? '',
    'version',
    info.get('Version') ?? '',
  ]);
  const number = (key: string) => Number(info.get(key) ?? Number.NaN);
  const gauges = [
    ['Uptime_sec', 'haproxy_process_uptime_seconds'],
    ['CurrConns', 'haproxy_process_current_connections'],
    ['Maxconn', 'haproxy_process_max_connections'],
    ['Idle_pct', 'haproxy_process_idle_time_percent'],
  ] as const;
  for (const [key, metric] of gauges)
    if (!Number.isNaN(number(key))) page.gauge(metric, `HAProxy: ${key}.`, number(key));
}

function addStats(page: Page, text: string): void {
  const [head, ...rows] = text.trim().split('\n');
  if (!head?.startsWith('# pxname')) throw new Error('the answer is no statistics page');
  const names = head.slice(2).split(',');
  for (const row of rows) {
    const values = splitCsv(row);
    const get = (name: string) => values[names.indexOf(name)] ?? '';
    const [proxy, service] = [get('pxname'), get('svname')];
    switch (get('type')) {
      case '0':
        add(page, 'haproxy_frontend', FRONTEND, get, ['frontend', proxy]);
        responses(page, 'haproxy_frontend', get, ['code', 'frontend', proxy]);
        break;
      case '1':
        add(page, 'haproxy_backend', BACKEND, get, ['backend', proxy]);
        responses(page, 'haproxy_backend', get, ['backend', proxy, 'code']);
        page.gauge('haproxy_backend_up', 'Whether the backend is up.', UP.has(get('status')) ? 1 : 0, [
          'backend',
          proxy,
        ]);
        break;
      case '2':
        add(page, 'haproxy_server', SERVER, get, ['backend', proxy, 'server', service]);
        responses(page, 'haproxy_server', get, ['backend', proxy, 'code', 'server', service]);
        page.gauge('haproxy_server_up', 'Whether the server is up.', UP.has(get('status')) ? 1 : 0, [
          'backend',
          proxy,
          'server',
          service,
        ]);
    }
  }
}

function add(
  page: Page,
  prefix: string,
  columns: readonly Column[],
  get: (name: string) => string,
  labels: string[],
): void {
  for (const [csv, metric, type, help, divisor] of columns) {
    const text = get(csv);
    if (text !== '') page.add(type, `${prefix}_${metric}`, help, Number(text) / (divisor ?? 1), labels);
  }
}

/** `labels` is flat with the name "code" standing alone where its value goes. */
function responses(page: Page, prefix: string, get: (name: string) => string, labels: readonly string[]): void {
  for (const code of ['1xx', '2xx', '3xx', '4xx', '5xx', 'other']) {
    const text = get(`hrsp_${code}`);
    if (text === '') continue;
    const at = labels.indexOf('code');
    const filled = [...labels.slice(0, at + 1), code, ...labels.slice(at + 1)];
    page.counter(`${prefix}_http_responses_total`, 'Responses by code.', Number(text), filled);
  }
}

function splitCsv(row: string): string[] {
  const values: string[] = [];
  for (const match of row.matchAll(/(?:"((?:[^"]|"")*)"|([^,]*))(?:,|$)/g))
    values.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
  return values;
}
