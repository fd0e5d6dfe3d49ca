// `pharos tool query ...` and `check healthy|ready|web-config`: promtool's commands that ask a running server, and the check of
// web configuration files.

import path from 'node:path';
import { systemClock } from '#base/clock.ts';
import { loadYaml } from '#base/config/load.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText, UserError } from '#base/errors.ts';
import type { FlagTable } from '#base/flags.ts';
import { createHttpClient } from '#clients/http/client.ts';
import { httpClientFrom, httpClientSection } from '#clients/http/config.ts';
import { goQuote } from '#query/parse/quote.ts';
import { loadWebConfig } from '#serve/web-config.ts';
import { FAILURE, type Streams, SUCCESS, type ToolCommand, toolCommand } from './command.ts';

const TIMEOUT_MS = 120_000;
const MAX_REPLY_BYTES = 1 << 30;
/** As far as promtool looks when no times are given. */
const ALWAYS_S = 9999 * 3600;
const DEFAULT_RANGE_S = 300;
const DEFAULT_POINTS = 250;

const HTTP_FLAGS = {
  'http.config.file': { kind: 'text', default: '', help: 'File with the HTTP client configuration.' },
} as const satisfies FlagTable;
const QUERY_FLAGS = {
  format: {
    kind: 'text',
    short: 'o',
    default: 'promql',
    values: ['promql', 'json'],
    help: 'How to print: promql or json.',
  },
  ...HTTP_FLAGS,
} as const satisfies FlagTable;
const RANGE_FLAGS = {
  start: { kind: 'text', default: '', help: 'Start time (RFC 3339 or seconds since 1970).' },
  end: { kind: 'text', default: '', help: 'End time (RFC 3339 or seconds since 1970).' },
} as const satisfies FlagTable;

type Labels = Readonly<Record<string, string>>;
type Value = readonly [number, string];
type Answer =
  | { readonly resultType: 'vector'; readonly result: readonly { readonly metric: Labels; readonly value: Value }[] }
  | {
      readonly resultType: 'matrix';
      readonly result: readonly { readonly metric: Labels; readonly values: readonly Value[] }[];
    }
  | { readonly resultType: 'scalar' | 'string'; readonly result: Value };

async function fetchText(
  url: string,
  configFile: string,
  form?: URLSearchParams,
): Promise<{ status: number; text: string }> {
  const config =
    configFile === ''
      ? undefined
      : httpClientFrom(
          loadYaml(new TextDecoder().decode(nodeDisk.readFile(configFile)), httpClientSection, configFile),
          (name) => path.resolve(path.dirname(configFile), name),
        );
  const http = createHttpClient(config, { clock: systemClock, disk: nodeDisk, environment: process.env });
  try {
    const reply = await http.call({
      url,
      method: form ? 'POST' : 'GET',
      headers: form ? { 'content-type': 'application/x-www-form-urlencoded' } : {},
      ...(form ? { body: form.toString() } : {}),
      timeoutMs: TIMEOUT_MS,
      maxBodyBytes: MAX_REPLY_BYTES,
    });
    return { status: reply.status, text: reply.body.toString('utf8') };
  } finally {
    http.close();
  }
}

const withScheme = (server: string): string =>
  (/^https?:\/\//.test(server) ? server : `http://${server}`).replace(/\/$/, '');

/** The `data` of an answer; what the server refuses is printed as promtool prints it, and gives undefined. */
async function askServer(
  server: string,
  what: string,
  form: URLSearchParams | undefined,
  configFile: string,
  streams: Streams,
): Promise<unknown> {
  const failed = (why: string) => {
    streams.err(`query error: ${why}\n`);
    return undefined;
  };
  try {
    const { status, text } = await fetchText(`${withScheme(server)}/api/v1/${what}`, configFile, form);
    const answer = JSON.parse(text) as { status: string; errorType?: string; error?: string; data?: unknown };
    if (answer.status !== 'success') return failed(`${answer.errorType ?? status}: ${answer.error ?? text.trim()}`);
    return answer.data ?? [];
  } catch (error) {
    return failed(errorText(error));
  }
}

const seconds = (ms: number): string => String(ms / 1000);

/** Seconds since 1970. */
function timeOf(text: string, what: string): number {
  const asNumber = Number(text);
  const value = text.trim() !== '' && Number.isFinite(asNumber) ? asNumber : Date.parse(text) / 1000;
  if (!Number.isFinite(value)) {
    throw new UserError(`error parsing ${what} time: cannot parse ${goQuote(text)} to a valid timestamp`);
  }
  return value;
}

function labelsText(labels: Labels, withName: boolean): string {
  const name = withName ? (labels['__name__'] ?? '') : '';
  const rest = Object.entries(labels)
    .filter(([key]) => !withName || key !== '__name__')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${goQuote(value)}`);
  return rest.length === 0 && name !== '' ? name : `${name}{${rest.join(', ')}}`;
}

const point = ([time, value]: Value): string => `${decimal(value)} @[${decimal(String(time))}]`;

/** A number without an exponent; NaN and infinities stay as they are. */
function decimal(text: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?e([+-]?\d+)$/i.exec(String(Number.isFinite(Number(text)) ? Number(text) : text));
  if (!match) return Number.isFinite(Number(text)) ? String(Number(text)) : text;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  const at = whole.length + Number(exponent);
  const digits = whole + fraction;
  if (at <= 0) return `${sign}0.${'0'.repeat(-at)}${digits}`;
  return `${sign}${digits.slice(0, at).padEnd(at, '0')}${digits.length > at ? `.${digits.slice(at)}` : ''}`;
}

function valueText(answer: Answer): string {
  switch (answer.resultType) {
    case 'vector':
      return answer.result.map(({ metric, value }) => `${labelsText(metric, true)} => ${point(value)}`).join('\n');
    case 'matrix':
      return answer.result
        .map(({ metric, values }) => `${labelsText(metric, true)} =>\n${values.map(point).join('\n')}`)
        .join('\n');
    case 'scalar':
      return `scalar: ${point(answer.result)}`;
    case 'string':
      return answer.result[1];
  }
}

function print(data: unknown, format: string, streams: Streams, asText: () => string): number {
  if (data === undefined) return FAILURE;
  if (format === 'json') streams.out(`${JSON.stringify((data as { result?: unknown }).result ?? data)}\n`);
  else {
    const text = asText();
    if (text !== '') streams.out(`${text}\n`);
  }
  return SUCCESS;
}

function required(operands: readonly string[], ...names: string[]): string[] {
  names.forEach((name, i) => {
    if (operands[i] === undefined) throw new UserError(`required argument '${name}' not provided`);
  });
  return [...operands];
}

const instant = toolCommand({
  name: 'query instant',
  summary: 'Runs an instant query',
  operands: '<server> <expr>',
  flags: {
    ...QUERY_FLAGS,
    time: { kind: 'text', default: '', help: 'Query evaluation time (RFC 3339 or seconds since 1970).' },
  },
  run: async (flags, operands, streams) => {
    const [server, query] = required(operands, 'server', 'expr');
    const time = flags.time === '' ? seconds(systemClock.now()) : String(timeOf(flags.time, 'evaluation'));
    const form = new URLSearchParams({ query: query!, time });
    const data = await askServer(server!, 'query', form, flags['http.config.file'], streams);
    return print(data, flags.format, streams, () => valueText(data as Answer));
  },
});

const range = toolCommand({
  name: 'query range',
  summary: 'Runs a range query',
  operands: '<server> <expr>',
  flags: { ...QUERY_FLAGS, ...RANGE_FLAGS, step: { kind: 'duration', default: 0, help: 'Query step size.' } },
  run: async (flags, operands, streams) => {
    const [server, query] = required(operands, 'server', 'expr');
    const end = flags.end === '' ? systemClock.now() / 1000 : timeOf(flags.end, 'end');
    const start = flags.start === '' ? end - DEFAULT_RANGE_S : timeOf(flags.start, 'start');
    if (start >= end) throw new UserError('start time is not before end time');
    const step = flags.step / 1000 || Math.max(Math.floor((end - start) / DEFAULT_POINTS), 1);
    const form = new URLSearchParams({ query: query!, start: String(start), end: String(end), step: String(step) });
    const data = await askServer(server!, 'query_range', form, flags['http.config.file'], streams);
    return print(data, flags.format, streams, () => valueText(data as Answer));
  },
});

/** All of time where nothing is said. */
function rangeForm(
  flags: { readonly start: string; readonly end: string },
  matchers: readonly string[],
): URLSearchParams {
  const now = systemClock.now() / 1000;
  const form = new URLSearchParams({
    start: String(flags.start === '' ? now - ALWAYS_S : timeOf(flags.start, 'start')),
    end: String(flags.end === '' ? now + ALWAYS_S : timeOf(flags.end, 'end')),
  });
  for (const matcher of matchers) form.append('match[]', matcher);
  return form;
}

const MATCH_FLAG = { match: { kind: 'texts', default: [], help: 'Series selector. Can be repeated.' } } as const;

const series = toolCommand({
  name: 'query series',
  summary: 'Lists the series that a selector selects',
  operands: '<server>',
  flags: { ...QUERY_FLAGS, ...RANGE_FLAGS, ...MATCH_FLAG },
  run: async (flags, operands, streams) => {
    const [server] = required(operands, 'server');
    if (flags.match.length === 0) throw new UserError('required flag --match not provided');
    const data = await askServer(server!, 'series', rangeForm(flags, flags.match), flags['http.config.file'], streams);
    return print(data, flags.format, streams, () => (data as Labels[]).map((own) => labelsText(own, false)).join('\n'));
  },
});

const labels = toolCommand({
  name: 'query labels',
  summary: 'Lists the values of a label',
  operands: '<server> <name>',
  flags: { ...QUERY_FLAGS, ...RANGE_FLAGS, ...MATCH_FLAG },
  run: async (flags, operands, streams) => {
    const [server, name] = required(operands, 'server', 'name');
    const what = `label/${encodeURIComponent(name!)}/values?${rangeForm(flags, flags.match)}`;
    const data = await askServer(server!, what, undefined, flags['http.config.file'], streams);
    return print(data, flags.format, streams, () => (data as string[]).join('\n'));
  },
});

const checkStatus = (name: 'healthy' | 'ready') =>
  toolCommand({
    name: `check ${name}`,
    summary: `Checks if the server is ${name}`,
    operands: '',
    flags: { ...HTTP_FLAGS, url: { kind: 'text', default: 'http://localhost:9090', help: 'The URL of the server.' } },
    run: async (flags, _, streams) => {
      try {
        const { status, text } = await fetchText(`${withScheme(flags.url)}/-/${name}`, flags['http.config.file']);
        if (status !== 200) {
          streams.err(`  FAILED: check failed: URL=${flags.url}, status=${status}\n`);
          return FAILURE;
        }
        streams.err(`  SUCCESS: ${text}`);
        return SUCCESS;
      } catch (error) {
        streams.err(`  FAILED: ${errorText(error)}\n`);
        return FAILURE;
      }
    },
  });

const checkWebConfig = toolCommand({
  name: 'check web-config',
  summary: 'Checks if the web config files are valid or not',
  operands: '<web-config-files>...',
  flags: {},
  run: async (_, operands, streams) => {
    required(operands, 'web-config-files');
    let hasFailed = false;
    for (const file of operands) {
      try {
        loadWebConfig(file, nodeDisk);
        streams.out(`${file} SUCCESS\n`);
      } catch (error) {
        hasFailed = true;
        streams.err(`${file} FAILED: ${errorText(error)}\n`);
      }
    }
    return hasFailed ? FAILURE : SUCCESS;
  },
});

export const SERVER_COMMANDS: readonly ToolCommand[] = [
  checkWebConfig,
  checkStatus('healthy'),
  checkStatus('ready'),
  instant,
  range,
  series,
  labels,
];
