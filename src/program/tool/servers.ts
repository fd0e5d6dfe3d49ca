// `pharos tool query ...` and `check healthy|ready|web-config`: promtool's commands that ask a running server, and the check of
// web configuration files.

import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText, UserError } from '#base/errors.ts';
import type { FlagTable } from '#base/flags.ts';
import { loadWebConfig } from '#serve/web-config.ts';
import {
  askServer,
  fetchBytes,
  HEADER_FLAG,
  HTTP_FLAGS,
  headersOf,
  type LabelRecord,
  labelsText,
  required,
  timeOf,
  withScheme,
} from './asking.ts';
import { FAILURE, type Streams, SUCCESS, type ToolCommand, toolCommand } from './command.ts';

/** As far as promtool looks when no times are given. */
const ALWAYS_S = 9999 * 3600;
const DEFAULT_RANGE_S = 300;
const DEFAULT_POINTS = 250;

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

type Value = readonly [number, string];
type Answer =
  | {
      readonly resultType: 'vector';
      readonly result: readonly { readonly metric: LabelRecord; readonly value: Value }[];
    }
  | {
      readonly resultType: 'matrix';
      readonly result: readonly { readonly metric: LabelRecord; readonly values: readonly Value[] }[];
    }
  | { readonly resultType: 'scalar' | 'string'; readonly result: Value };

const seconds = (ms: number): string => String(ms / 1000);

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

const instant = toolCommand({
  name: 'query instant',
  summary: 'Runs an instant query',
  operands: '<server> <expr>',
  flags: {
    ...QUERY_FLAGS,
    ...HEADER_FLAG,
    time: { kind: 'text', default: '', help: 'Query evaluation time (RFC 3339 or seconds since 1970).' },
  },
  run: async (flags, operands, streams) => {
    const [server, query] = required(operands, 'server', 'expr');
    const time = flags.time === '' ? seconds(systemClock.now()) : String(timeOf(flags.time, 'evaluation'));
    const form = new URLSearchParams({ query: query!, time });
    const headers = headersOf(flags.header);
    const data = await askServer(server!, 'query', form, flags['http.config.file'], streams, headers);
    return print(data, flags.format, streams, () => valueText(data as Answer));
  },
});

const range = toolCommand({
  name: 'query range',
  summary: 'Runs a range query',
  operands: '<server> <expr>',
  flags: {
    ...QUERY_FLAGS,
    ...HEADER_FLAG,
    ...RANGE_FLAGS,
    step: { kind: 'duration', default: 0, help: 'Query step size.' },
  },
  run: async (flags, operands, streams) => {
    const [server, query] = required(operands, 'server', 'expr');
    const end = flags.end === '' ? systemClock.now() / 1000 : timeOf(flags.end, 'end');
    const start = flags.start === '' ? end - DEFAULT_RANGE_S : timeOf(flags.start, 'start');
    if (start >= end) throw new UserError('start time is not before end time');
    const step = flags.step / 1000 || Math.max(Math.floor((end - start) / DEFAULT_POINTS), 1);
    const form = new URLSearchParams({ query: query!, start: String(start), end: String(end), step: String(step) });
    const headers = headersOf(flags.header);
    const data = await askServer(server!, 'query_range', form, flags['http.config.file'], streams, headers);
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
    return print(data, flags.format, streams, () =>
      (data as LabelRecord[]).map((own) => labelsText(own, false)).join('\n'),
    );
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
        const { status, body } = await fetchBytes(`${withScheme(flags.url)}/-/${name}`, flags['http.config.file']);
        if (status !== 200) {
          streams.err(`  FAILED: check failed: URL=${flags.url}, status=${status}\n`);
          return FAILURE;
        }
        streams.err(`  SUCCESS: ${body.toString('utf8')}`);
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
