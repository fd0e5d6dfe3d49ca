// The functions and the data of the templates in rules: labels and annotations of alerts, and pages with queries.
// Queries take time and templates do not wait, so `query` stops the execution, and it starts over with the answer at hand.

import { parseDuration } from '#base/units.ts';
import type { Labels } from '#model/labels.ts';
import { type FunctionTable, queryEscape } from './builtins.ts';
import { Interruption } from './execute.ts';
import {
  humanize,
  humanize1024,
  humanizeDuration,
  humanizePercentage,
  humanizeTimestamp,
  secondsToTime,
  toFloat,
} from './number-functions.ts';
import { goQuote } from './quote.ts';
import { parseTemplates, type TemplateSet, type TemplateText } from './template.ts';
import { matchText, replaceText, titleCase } from './text-functions.ts';
import { GoDuration } from './time.ts';
import { type GoFunction, GoMap, GoSlice, GoStruct, labelMap, SafeText, type Value } from './value.ts';

export type TemplateSample = { readonly labels: Labels; readonly value: number };

export type ExpandOptions = {
  /** Evaluates an expression at the time of the expansion. */
  readonly query: (expression: string) => Promise<readonly TemplateSample[]>;
  readonly nowMs: number;
  readonly externalUrl: string;
};

const ANY = 'interface {}';
const SAMPLE = '*template.sample';
const RESULT = 'template.queryResult';

/** Each query of one expansion and its answer. */
const MAX_QUERIES = 1000;

class PendingQuery extends Interruption {
  readonly expression: string;
  constructor(expression: string) {
    super(`query ${expression} has no answer yet`);
    this.expression = expression;
  }
}

/** A text parsed once, to be expanded often. */
export class RuleTemplate {
  readonly #name: string;
  readonly #set: TemplateSet;
  readonly #html: boolean;

  /** Throws when the text is no template. `files` are further templates that an HTML page may call. */
  constructor(name: string, text: string, html?: { readonly files: readonly TemplateText[] }) {
    this.#name = name;
    this.#html = html !== undefined;
    const functions = html ? { ...PROMETHEUS_FUNCTIONS, tmpl: PAGE_TMPL } : PROMETHEUS_FUNCTIONS;
    try {
      this.#set = parseTemplates([{ name, text }, ...(html?.files ?? [])], { functions, missingKey: 'zero' });
    } catch (error) {
      throw new Error(`error parsing template ${name}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** At once when the text asks no queries, which is most often so. */
  expand(data: Value, options: ExpandOptions): string | Promise<string> {
    try {
      return this.#once(data, options, NO_ANSWERS);
    } catch (error) {
      if (!(error instanceof PendingQuery)) throw error;
      return this.#asking(data, options, error.expression);
    }
  }

  async #asking(data: Value, options: ExpandOptions, first: string): Promise<string> {
    const answers = new Map<string, readonly TemplateSample[] | Error>();
    for (let expression = first; ; ) {
      if (answers.size >= MAX_QUERIES) throw new Error(`template ${this.#name} asks more than ${MAX_QUERIES} queries`);
      answers.set(
        expression,
        await options
          .query(expression)
          .catch((cause: unknown) => (cause instanceof Error ? cause : new Error(String(cause)))),
      );
      try {
        return this.#once(data, options, answers);
      } catch (error) {
        if (!(error instanceof PendingQuery)) throw error;
        expression = error.expression;
      }
    }
  }

  #once(data: Value, options: ExpandOptions, answers: Answers): string {
    const lookup = (expression: string): Value => {
      const answer = answers.get(expression);
      if (!answer) throw new PendingQuery(expression);
      if (answer instanceof Error) throw answer;
      return new GoSlice(RESULT, answer.map(sampleValue));
    };
    const html = this.#html;
    const set: TemplateSet = this.#set.withFunctions({
      query: { params: ['string'], call: (expression) => lookup(expression as string) },
      now: { params: [], call: () => options.nowMs / 1000 },
      externalURL: { params: [], call: () => options.externalUrl },
      pathPrefix: { params: [], call: () => pathOf(options.externalUrl) },
      ...(html
        ? {
            tmpl: {
              ...PAGE_TMPL,
              call: (called, argument) => new SafeText('HTML', set.execute(called as string, argument, { html })),
            } satisfies GoFunction,
          }
        : {}),
    });
    try {
      return set.execute(this.#name, data, { html });
    } catch (error) {
      if (error instanceof Interruption) throw error;
      throw new Error(`error executing template ${this.#name}: ${(error as Error).message}`, { cause: error });
    }
  }
}

type Answers = ReadonlyMap<string, readonly TemplateSample[] | Error>;
const NO_ANSWERS: Answers = new Map();

/** Throws when a text is no template; executes nothing. */
export function checkTemplate(name: string, text: string): void {
  parseTemplates([{ name, text }], { functions: PROMETHEUS_FUNCTIONS, missingKey: 'zero' });
}

/** What labels and annotations of alerts start with. */
export const ALERT_PREAMBLE =
  '{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}';

export function alertData(labels: Labels, externalLabels: Labels, externalUrl: string, value: Value): Value {
  return new GoStruct(
    'struct { Labels map[string]string; ExternalLabels map[string]string; ExternalURL string; Value interface {} }',
    {
      Labels: labelMap(labels),
      ExternalLabels: labelMap(externalLabels),
      ExternalURL: externalUrl,
      Value: value,
    },
  );
}

const sampleValue = (sample: TemplateSample): GoStruct =>
  new GoStruct(SAMPLE, { Labels: labelMap(sample.labels), Value: sample.value });

const labelOf = (sample: Value, name: string): string =>
  (((sample as GoStruct).fields['Labels'] as GoMap).entries.get(name) as string | undefined) ?? '';

function pathOf(externalUrl: string): string {
  try {
    return decodeURIComponent(new URL(externalUrl).pathname).replace(/^\/$/, externalUrl.endsWith('/') ? '/' : '');
  } catch {
    return externalUrl;
  }
}

/** net.SplitHostPort, or undefined when there is no port. */
function splitHostPort(text: string): { host: string; port: string } | undefined {
  const match = /^(?:\[([^[\]]*)\]|([^:[\]]*)):([^:[\]]*)$/.exec(text);
  return match ? { host: match[1] ?? match[2]!, port: match[3]! } : undefined;
}

const isIp = (text: string): boolean => {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
    return text.split('.').every((part) => Number(part) <= 255 && String(Number(part)) === part);
  }
  return text.includes(':') && URL.canParse(`http://[${text}]`);
};

function stripDomain(hostPort: string): string {
  const split = splitHostPort(hostPort);
  const host = split?.host ?? hostPort;
  if (isIp(host)) return hostPort;
  const first = host.split('.')[0]!;
  if (!split || split.port === '') return first;
  return first.includes(':') ? `[${first}]:${split.port}` : `${first}:${split.port}`;
}

function parseSignedDuration(text: string): number {
  const negative = text.startsWith('-');
  const body = negative ? text.slice(1) : text;
  if (text === '') throw new Error('empty duration string');
  const ms = parseDuration(body);
  if (ms === undefined) throw new Error(`not a valid duration string: ${goQuote(text)}`);
  return (negative ? -ms : ms) / 1000;
}

function sortByLabel(label: string, result: GoSlice): GoSlice {
  const sorted = [...result.items].sort((a, b) => {
    const [x, y] = [labelOf(a, label), labelOf(b, label)];
    return x < y ? -1 : x > y ? 1 : 0;
  });
  return new GoSlice(RESULT, sorted);
}

/** Calls another template from within a value, which `template` cannot. */
const PAGE_TMPL: GoFunction = { params: ['string', ANY], call: () => noQuery() };

const noQuery = (): never => {
  throw new Error('queries are not possible here');
};

export const PROMETHEUS_FUNCTIONS: FunctionTable = {
  query: { params: ['string'], call: noQuery },
  now: { params: [], call: noQuery },
  externalURL: { params: [], call: noQuery },
  pathPrefix: { params: [], call: noQuery },
  first: {
    params: [RESULT],
    call: (result) => {
      const first = (result as GoSlice | null)?.items[0];
      if (first === undefined) throw new Error('first() called on vector with no elements');
      return first;
    },
  },
  label: { params: ['string', SAMPLE], call: (name, sample) => labelOf(sample, name as string) },
  value: { params: [SAMPLE], call: (sample) => (sample as GoStruct).fields['Value'] },
  strvalue: { params: [SAMPLE], call: (sample) => labelOf(sample, '__value__') },
  args: {
    params: [ANY],
    variadic: true,
    call: (...args) =>
      new GoMap('map[string]interface {}', new Map(args.map((arg, i) => [`arg${i}`, arg] as const)), undefined),
  },
  reReplaceAll: {
    params: ['string', 'string', 'string'],
    call: (pattern, replacement, text) => replaceText(pattern as string, replacement as string, text as string),
  },
  safeHtml: { params: ['string'], call: (text) => new SafeText('HTML', text as string) },
  match: { params: ['string', 'string'], call: (pattern, text) => matchText(pattern as string, text as string) },
  title: { params: ['string'], call: (text) => titleCase(text as string, false) },
  toUpper: { params: ['string'], call: (text) => (text as string).toUpperCase() },
  toLower: { params: ['string'], call: (text) => (text as string).toLowerCase() },
  graphLink: { params: ['string'], call: (expr) => `/graph?g0.expr=${queryEscape(expr as string)}&g0.tab=0` },
  tableLink: { params: ['string'], call: (expr) => `/graph?g0.expr=${queryEscape(expr as string)}&g0.tab=1` },
  sortByLabel: {
    params: ['string', RESULT],
    call: (label, result) => sortByLabel(label as string, (result ?? new GoSlice(RESULT, [])) as GoSlice),
  },
  stripPort: { params: ['string'], call: (text) => splitHostPort(text as string)?.host ?? text },
  stripDomain: { params: ['string'], call: (text) => stripDomain(text as string) },
  humanize: { params: [ANY], call: humanize },
  humanize1024: { params: [ANY], call: humanize1024 },
  humanizeDuration: { params: [ANY], call: humanizeDuration },
  humanizePercentage: { params: [ANY], call: humanizePercentage },
  humanizeTimestamp: { params: [ANY], call: humanizeTimestamp },
  toTime: { params: [ANY], call: (value) => secondsToTime(toFloat(value)) },
  toDuration: { params: [ANY], call: (value) => new GoDuration(BigInt(Math.trunc(toFloat(value) * 1e9))) },
  parseDuration: { params: ['string'], call: (text) => parseSignedDuration(text as string) },
  urlQueryEscape: { params: ['string'], call: (text) => queryEscape(text as string) },
};
