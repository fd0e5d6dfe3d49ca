// Reads the scripts with which PromQL is tested: `load` fills a store, `eval` asks, the lines behind it say what is
// expected. A script becomes a list of commands; what runs them decides against which engine.

import { UserError } from '#base/errors.ts';
import { labelsKey } from '#model/labels.ts';
import { parseDurationText, parseNumber } from '../parse/numbers.ts';
import { unquote } from '../parse/quote.ts';
import { parseMetric, parseSeries, type SeriesDescription } from './series-notation.ts';

export type LoadCommand = {
  readonly kind: 'load';
  readonly step: number;
  readonly withCustomBuckets: boolean;
  readonly series: readonly (SeriesDescription & { readonly starts?: readonly (number | undefined)[] })[];
};

export type Expectation = { readonly matches: (text: string) => boolean; readonly shown: string };

export type EvalCommand = {
  readonly kind: 'eval';
  readonly line: number;
  readonly expr: string;
  readonly range: boolean;
  readonly start: number;
  readonly end: number;
  readonly step: number;
  readonly ordered: boolean;
  readonly fail: readonly Expectation[] | undefined;
  readonly warn: readonly Expectation[];
  readonly info: readonly Expectation[];
  /** The old forms eval_warn and eval_info: at least one. */
  readonly someWarning: boolean;
  readonly someInfo: boolean;
  readonly noWarn: boolean;
  readonly noInfo: boolean;
  readonly scalar: number | undefined;
  readonly text: string | undefined;
  readonly rangeVector: { readonly start: number; readonly end: number; readonly step: number } | undefined;
  readonly series: readonly SeriesDescription[];
};

export type Command = LoadCommand | EvalCommand | { readonly kind: 'clear' };

const LOAD = /^load(?:_(with_nhcb))?\s+(.+?)$/;
const INSTANT = /^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$/;
const RANGE = /^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$/;
const EXPECT = /^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$/;
const EXPECT_RANGE = /^expect range vector\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+)$/;

export function parseScript(text: string): Command[] {
  const lines = text.split('\n').map((line) => (line.trim().startsWith('#') ? '' : line.trim()));
  const commands: Command[] = [];
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    if (line === '') continue;
    let end = i + 1;
    while (end < lines.length && lines[end] !== '') end++;
    const body = lines.slice(i + 1, end);
    try {
      if (line === 'clear') commands.push({ kind: 'clear' });
      else if (/^load/i.test(line)) {
        commands.push(parseLoad(line, body));
        i = end;
      } else if (/^eval/i.test(line)) {
        const { command, used } = parseEval(line, body, i + 1);
        commands.push(command);
        i += used;
      } else throw new UserError(`invalid command ${JSON.stringify(line)}`);
    } catch (error) {
      throw new UserError(`line ${i + 1}: ${error instanceof Error ? error.message : error}`);
    }
  }
  return commands;
}

function duration(text: string): number {
  const ms = parseDurationText(text);
  if (typeof ms === 'string') throw new UserError(`invalid duration ${JSON.stringify(text)}: ${ms}`);
  return ms;
}

function parseLoad(line: string, body: readonly string[]): LoadCommand {
  const match = LOAD.exec(line);
  if (!match) throw new UserError('invalid load command');
  const series: LoadCommand['series'][number][] = [];
  let starts: { key: string; values: (number | undefined)[] } | undefined;
  for (const text of body) {
    const startLine = /^(\S+)@st\s+(.*)$/.exec(text);
    if (startLine) {
      const labels = parseMetric(startLine[1]!);
      starts = { key: labelsKey(labels), values: startLine[2]!.trim().split(/\s+/).flatMap(startItem) };
      continue;
    }
    const described = parseSeries(text);
    if (starts && (starts.key !== labelsKey(described.labels) || starts.values.length !== described.values.length)) {
      throw new UserError(`the start times before ${JSON.stringify(text)} do not fit`);
    }
    series.push(starts ? { ...described, starts: starts.values } : described);
    starts = undefined;
  }
  return { kind: 'load', step: duration(match[2]!), withCustomBuckets: match[1] !== undefined, series };
}

/** Offsets from the sample's time, in milliseconds. */
function startItem(item: string): (number | undefined)[] {
  const gap = /^_(?:x(\d+))?$/.exec(item);
  if (gap) return Array.from({ length: Number(gap[1] ?? 1) }, () => undefined);
  const match = /^([+-]?)(\d+[a-wyz]*)(?:([+-])(\d+[a-wyz]*))?(?:x(\d+))?$/.exec(item);
  if (!match) throw new UserError(`invalid start time ${JSON.stringify(item)}`);
  const base = duration(match[2]!) * (match[1] === '-' ? -1 : 1);
  const change = match[4] === undefined ? 0 : duration(match[4]) * (match[3] === '-' ? -1 : 1);
  return Array.from({ length: Number(match[5] ?? 0) + 1 }, (_, i) => base + i * change);
}

type Draft = { -readonly [K in keyof EvalCommand]: EvalCommand[K] };

function parseEval(line: string, body: readonly string[], number: number): { command: EvalCommand; used: number } {
  const command = evalHead(line, number);
  const lists = { fail: [] as Expectation[], warn: [] as Expectation[], info: [] as Expectation[] };
  const series: SeriesDescription[] = [];
  let used = 0;
  for (const text of body) {
    used++;
    const rangeVector = EXPECT_RANGE.exec(text);
    if (rangeVector) {
      const [start, end, step] = rangeVector.slice(1).map((part) => duration(part!)) as [number, number, number];
      command.rangeVector = { start, end, step };
      continue;
    }
    const failMessage = /^expected_fail_(message|regexp)\s+(.*)$/.exec(text);
    if (failMessage) {
      lists.fail.push(expectation(failMessage[1] === 'regexp' ? 'regex' : 'msg', failMessage[2]!));
      continue;
    }
    if (text.startsWith('expect string ')) {
      command.text = unquote(text.slice('expect string '.length));
      continue;
    }
    if (text.split(' ')[0] === 'expect') {
      expectLine(text, command, lists);
      continue;
    }
    const scalar = parseScalar(text);
    if (scalar !== undefined) {
      command.scalar = scalar;
      break;
    }
    series.push(parseSeries(text));
  }
  if (lists.fail.length > 0) command.fail = lists.fail;
  return { command: { ...command, warn: lists.warn, info: lists.info, series }, used };
}

function parseScalar(text: string): number | undefined {
  const negative = text.startsWith('-');
  const value = parseNumber(/^[+-]/.test(text) ? text.slice(1) : text);
  return value === undefined ? undefined : negative ? -value : value;
}

function evalHead(line: string, number: number): Draft {
  const instant = INSTANT.exec(line);
  const range = RANGE.exec(line);
  if (!instant && !range) throw new UserError('invalid eval command');
  const mode = instant ? instant[1] : range![1];
  const [start, end, step] = instant
    ? [duration(instant[2]!), duration(instant[2]!), 0]
    : (range!.slice(2, 5).map((part) => duration(part!)) as [number, number, number]);
  return {
    ...{ kind: 'eval', line: number, expr: (instant ? instant[3] : range![5])!, range: !instant, start, end, step },
    ...{ ordered: mode === 'ordered', fail: mode === 'fail' ? [] : undefined, warn: [], info: [] },
    ...{ someWarning: mode === 'warn', someInfo: mode === 'info', noWarn: false, noInfo: false },
    ...{ scalar: undefined, text: undefined, rangeVector: undefined, series: [] },
  };
}

function expectLine(
  text: string,
  command: Draft,
  lists: { fail: Expectation[]; warn: Expectation[]; info: Expectation[] },
): void {
  const match = EXPECT.exec(text);
  if (!match) throw new UserError(`invalid expectation ${JSON.stringify(text)}`);
  const what = expectation(match[2], match[3]?.trim() ?? '');
  switch (match[1]) {
    case 'ordered':
      command.ordered = true;
      break;
    case 'no_warn':
      command.noWarn = true;
      break;
    case 'no_info':
      command.noInfo = true;
      break;
    default:
      lists[match[1] as 'fail' | 'warn' | 'info'].push(what);
  }
}

function expectation(kind: string | undefined, text: string): Expectation {
  if (kind === undefined) return { matches: () => true, shown: '(any)' };
  if (kind === 'msg') return { matches: (other) => other === text, shown: text };
  const regex = new RegExp(text);
  return { matches: (other) => regex.test(other), shown: `/${text}/` };
}
