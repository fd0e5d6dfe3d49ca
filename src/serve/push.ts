// The push gateway's HTTP side: paths, statuses and texts are Pushgateway's; the options of a push are in its query string. A JSON
// body posted to the telemetry path is a push of tables.

import { Readable } from 'node:stream';
import { errorText, OperatingError } from '#base/errors.ts';
import type { Gateway } from '#collect/push/gateway.ts';
import { readPushOptions } from '#collect/push/options.ts';
import { parsePushProtobuf } from '#collect/push/protobuf.ts';
import { readTablePushes } from '#collect/push/table.ts';
import { familiesByName, type MetricFamily, type WrittenFamily } from '#model/family.ts';
import { quote } from '#model/labels.ts';
import type { Counter, HistogramMetric, Registry, Vec } from '#model/registry.ts';
import { renderPieces } from '#wire/exposition/write.ts';
import { FamilyError, type ParsedPage, parseFamilyBytes } from '#wire/families/text.ts';
import { snappyDecodeFrames } from '#wire/snappy-frames.ts';
import { type HttpRequest, type HttpResponse, json, type Route, success, text } from './http.ts';
import { groupsJson } from './push-json.ts';
import { pushPage } from './push-page.ts';

export type PushRouteOptions = {
  readonly telemetryPath: string;
  /** Mounted before every path: '' or '/push'. */
  readonly prefix: string;
  readonly allowUtf8Names: boolean;
  readonly enableAdminApi: boolean;
  readonly maxBodyBytes: number;
  readonly flags: () => Readonly<Record<string, string>>;
  readonly build: Readonly<Record<string, string>>;
  readonly startedAt: number;
  readonly now: () => number;
  /** The gateway's own metrics, shown on the same page. */
  readonly own: () => readonly MetricFamily[];
};

const BASE64 = '@base64';
const CORS = {
  'access-control-allow-headers': 'Accept, Authorization, Content-Type, Origin',
  'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'Date',
  'cache-control': 'no-cache, no-store, must-revalidate',
};

/** What the gateway counts of itself; Pushgateway's names. */
export type PushMetrics = {
  readonly requests: Vec<Counter>;
  readonly durations: Vec<HistogramMetric>;
  readonly sizes: Vec<HistogramMetric>;
};

export function pushMetrics(registry: Registry): PushMetrics {
  const bounds = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1];
  return {
    requests: registry.counterVec('pushgateway_http_requests_total', 'Requests by status and handler.', [
      'code',
      'handler',
      'method',
    ]),
    durations: registry.histogramVec(
      'pushgateway_http_push_duration_seconds',
      'Duration of pushes.',
      ['method'],
      bounds,
    ),
    sizes: registry.histogramVec(
      'pushgateway_http_push_size_bytes',
      'Size of pushes.',
      ['method'],
      [64, 256, 1024, 4096, 16384, 65536, 262144, 1048576],
    ),
  };
}

export function pushRoutes(gateway: Gateway, options: PushRouteOptions, metrics: PushMetrics): Route[] {
  const { prefix, maxBodyBytes } = options;
  const pushes = ['', BASE64].map(
    (suffix): Route => ({
      methods: ['PUT', 'POST', 'DELETE'],
      pattern: `${prefix}/metrics/job${suffix}/*group`,
      role: 'write',
      maxBodyBytes,
      rawForm: true,
      handler: counted(metrics, options, (request) => handlePush(gateway, options, request, suffix !== '')),
    }),
  );
  const routes: Route[] = [
    ...pushes,
    {
      methods: ['GET'],
      pattern: `${prefix}${options.telemetryPath}`,
      handler: (request) => handlePage(gateway, options, request),
    },
    {
      methods: ['POST'],
      pattern: `${prefix}${options.telemetryPath}`,
      role: 'write',
      maxBodyBytes,
      rawForm: true,
      handler: (request) => handleTables(gateway, request),
    },
    {
      methods: ['GET'],
      pattern: `${prefix}/api/v1/metrics`,
      handler: () => withCors(success(groupsJson(gateway.state))),
    },
    {
      methods: ['GET'],
      pattern: `${prefix}/api/v1/status`,
      handler: () =>
        withCors(
          success({
            build_information: options.build,
            flags: options.flags(),
            start_time: new Date(options.startedAt).toISOString(),
          }),
        ),
    },
  ];
  const page = () => text(pushPage(gateway.state, prefix), 200, 'text/html; charset=utf-8');
  routes.push({ methods: ['GET'], pattern: `${prefix}/`, handler: page });
  routes.push({ methods: ['GET'], pattern: `${prefix}/status`, handler: page });
  if (options.enableAdminApi)
    routes.push({
      methods: ['PUT'],
      pattern: `${prefix}/api/v1/admin/wipe`,
      role: 'admin',
      handler: async () => {
        await gateway.wipe();
        return { status: 202 };
      },
    });
  return routes;
}

const withCors = (response: HttpResponse): HttpResponse => ({ ...response, headers: { ...response.headers, ...CORS } });
const refuse = (message: string, status = 400): HttpResponse => ({
  ...text(`${message}\n`, status),
  headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
});

function counted(
  metrics: PushMetrics,
  options: PushRouteOptions,
  handler: (request: HttpRequest) => Promise<HttpResponse>,
): (request: HttpRequest) => Promise<HttpResponse> {
  return async (request) => {
    const started = options.now();
    const response = await handler(request);
    const method = request.method.toLowerCase();
    const name = method === 'delete' ? 'delete' : 'push';
    metrics.requests.with(String(response.status), name, method).add();
    if (name === 'push') {
      metrics.durations.with(method).observe((options.now() - started) / 1000);
      metrics.sizes.with(method).observe(Number(request.headers['content-length'] ?? 0));
    }
    return response;
  };
}

async function handlePush(
  gateway: Gateway,
  options: PushRouteOptions,
  request: HttpRequest,
  isJobEncoded: boolean,
): Promise<HttpResponse> {
  try {
    const labels = readGroup(request.params['group'] ?? '', isJobEncoded, options.allowUtf8Names);
    if (request.method === 'DELETE') {
      await gateway.remove(labels);
      return { status: 202 };
    }
    const { options: groupOptions, pushId } = readPushOptions(request.query);
    const parsed = await readBody(request, options);
    await gateway.push({
      labels,
      families: parsed.families,
      hasTimestamps: parsed.hasTimestamps,
      wholeGroup: request.method === 'PUT',
      options: groupOptions,
      pushId,
    });
    return { status: 200 };
  } catch (error) {
    if (error instanceof FamilyError) return refuse(error.message);
    if (error instanceof OperatingError)
      return refuse(errorText(error), error.code === 'etcd' || error.code === 'conflict' ? 503 : 400);
    throw error;
  }
}

async function readBody(request: HttpRequest, options: PushRouteOptions): Promise<ParsedPage> {
  let body: Uint8Array = await request.body();
  if (String(request.headers['content-encoding'] ?? '').toLowerCase() === 'snappy')
    body = snappyDecodeFrames(body, options.maxBodyBytes);
  const type = String(request.headers['content-type'] ?? '')
    .toLowerCase()
    .replace(/\s/g, '');
  const isProtobuf =
    type.startsWith('application/vnd.google.protobuf;') &&
    type.includes(';encoding=delimited') &&
    type.includes(';proto=io.prometheus.client.metricfamily');
  if (isProtobuf) return parsePushProtobuf(body);
  return parseFamilyBytes(body, options.allowUtf8Names);
}

/** `<job>{/<label>[@base64]/<value>}` */
function readGroup(rest: string, isJobEncoded: boolean, allowUtf8: boolean): Record<string, string> {
  const at = rest.indexOf('/');
  const written = at < 0 ? rest : rest.slice(0, at);
  let job = written;
  if (isJobEncoded) {
    const decoded = decodeBase64(written);
    if (typeof decoded !== 'string')
      throw new FamilyError(`invalid base64 encoding in job name ${quote('')}: ${decoded.problem}`);
    job = decoded;
  }
  const labels = splitLabels(at < 0 ? '' : rest.slice(at), allowUtf8);
  if (job === '') throw new FamilyError('job name is required');
  return { ...labels, job };
}

function splitLabels(path: string, allowUtf8: boolean): Record<string, string> {
  const labels: Record<string, string> = {};
  if (path.length <= 1) return labels;
  const parts = path.slice(1).split('/');
  if (parts.length % 2 !== 0) throw new FamilyError(`odd number of components in label string ${quote(path)}`);
  for (let i = 0; i < parts.length; i += 2) {
    const isEncoded = parts[i]!.endsWith(BASE64);
    const name = isEncoded ? parts[i]!.slice(0, -BASE64.length) : parts[i]!;
    const label = allowUtf8 ? unescapeName(name) : name;
    const isValid = allowUtf8 ? label !== '' : /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label);
    if (!isValid || name.startsWith('__')) throw new FamilyError(`improper label name ${quote(name)}`);
    const value = isEncoded ? decodeBase64(parts[i + 1]!) : parts[i + 1]!;
    if (typeof value !== 'string')
      throw new FamilyError(`invalid base64 encoding for label ${name}=${quote(parts[i + 1]!)}: ${value.problem}`);
    labels[label] = value;
  }
  return labels;
}

/** URL-safe, with or without padding; "=" is the empty text. */
function decodeBase64(written: string): string | { problem: string } {
  const bare = written.replace(/=+$/, '');
  const wrong = bare.search(/[^A-Za-z0-9_-]/);
  if (wrong >= 0) return { problem: `illegal base64 data at input byte ${wrong}` };
  if (bare.length % 4 === 1) return { problem: `illegal base64 data at input byte ${bare.length - 1}` };
  return Buffer.from(bare, 'base64url').toString('utf8');
}

/** Names beginning with U__ carry other characters as _HEX_, as Prometheus' value escaping writes them. */
function unescapeName(name: string): string {
  if (!name.startsWith('U__')) return name;
  const inner = name.slice(3);
  const decoded = inner.replace(/__|_([0-9A-Fa-f]{1,6})_/g, (all, hex: string | undefined) =>
    all === '__' ? '_' : String.fromCodePoint(Number.parseInt(hex!, 16)),
  );
  return decoded;
}

/** A scrape names its reader, or is one by Prometheus' header; anything else only looks. */
function readerOf(request: HttpRequest): string | undefined {
  const name = request.query.get('reader');
  if (name) return name;
  if (request.headers['x-prometheus-scrape-timeout-seconds'] === undefined || request.method !== 'GET')
    return undefined;
  return `${request.remoteAddress} ${String(request.headers['user-agent'] ?? '')}`;
}

function handlePage(gateway: Gateway, options: PushRouteOptions, request: HttpRequest): HttpResponse {
  const { families, sent } = gateway.page(readerOf(request));
  const { contentType, pieces } = renderPieces(
    joined(families, options.own()),
    String(request.headers['accept'] ?? ''),
  );
  const headers = { 'content-type': contentType };
  if (gateway.hasPullModes) return { status: 200, headers, body: countedWhenSent(pieces, sent) };
  const iterator = pieces[Symbol.iterator]();
  const [first, second] = [iterator.next(), iterator.next()];
  if (second.done) return { status: 200, headers, body: first.done ? '' : first.value };
  return { status: 200, headers, body: Readable.from(chained([first.value!, second.value], iterator)) };
}

function* chained<T>(begun: readonly T[], rest: Iterator<T>): Generator<T> {
  yield* begun;
  for (let next = rest.next(); !next.done; next = rest.next()) yield next.value;
}

/** A reader has got what was sent only when it took all of it. */
async function* countedWhenSent(
  pieces: Iterable<string | Uint8Array>,
  sent: () => Promise<void>,
): AsyncIterable<string | Uint8Array> {
  yield* pieces;
  await sent();
}

/** Pushed families beside the gateway's own; equal names become one family. */
function joined(pushed: readonly WrittenFamily[], own: readonly MetricFamily[]): WrittenFamily[] {
  const all = new Map<string, WrittenFamily>(own.map((family) => [family.name, family]));
  for (const family of pushed) {
    const mine = all.get(family.name);
    all.set(family.name, mine ? { ...mine, samples: [...mine.samples, ...family.samples] } : family);
  }
  return familiesByName([...all.values()]);
}

async function handleTables(gateway: Gateway, request: HttpRequest): Promise<HttpResponse> {
  try {
    const pushes = readTablePushes((await request.body()).toString('utf8'));
    await gateway.pushTables(pushes);
    return json({ error: 0, message: 'success', result: { metrics: pushes.length } });
  } catch (error) {
    if (error instanceof FamilyError) return json({ error: 1, message: error.message, result: null }, 400);
    if (error instanceof OperatingError) return json({ error: 1, message: errorText(error), result: null }, 503);
    throw error;
  }
}
