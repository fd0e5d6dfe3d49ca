// Text format 0.0.4 into families, for pushes and text files. Unlike scraping, which wants series, these are kept family by family,
// histograms and summaries as wholes; the rules and the wording of errors are those of Prometheus' text parser.

import { isUtf8 } from 'node:buffer';
import { quote } from '#model/labels.ts';
import type { FamilyType, ParsedFamily, ParsedValue } from './types.ts';

/** The page is wrong; the message is what the pusher gets. */
export class FamilyError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'FamilyError';
  }
}

type Building = {
  name: string;
  type: FamilyType | undefined;
  help: string | undefined;
  metrics: { labels: string[]; value: number | Whole }[];
  /** Histograms and summaries by their labels. */
  wholes: Map<string, Whole>;
};
type Whole = { count: number; sum: number; parts: (readonly [bound: number, value: number])[] };

const TYPES: Readonly<Record<string, FamilyType>> = {
  COUNTER: 'counter',
  GAUGE: 'gauge',
  SUMMARY: 'summary',
  UNTYPED: 'untyped',
  HISTOGRAM: 'histogram',
  GAUGE_HISTOGRAM: 'gaugehistogram',
  GAUGEHISTOGRAM: 'gaugehistogram',
};

export type ParsedPage = { readonly families: readonly ParsedFamily[]; readonly hasTimestamps: boolean };

export function parseFamilies(text: string, allowUtf8Names: boolean): ParsedPage {
  return new PageParser(text, allowUtf8Names).parse();
}

/** As `parseFamilies`, of bytes: outside of remarks they must be UTF-8. */
export function parseFamilyBytes(bytes: Uint8Array, allowUtf8Names: boolean): ParsedPage {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!isUtf8(body)) refuseOtherBytes(body);
  return parseFamilies(body.toString('utf8'), allowUtf8Names);
}

/** Throws at the first line that is not UTF-8 and no remark, naming the label value that is not. */
function refuseOtherBytes(body: Buffer): void {
  let start = 0;
  for (let line = 1; start < body.length; line++) {
    const next = body.indexOf(0x0a, start);
    const end = next < 0 ? body.length : next;
    const bytes = body.subarray(start, end);
    start = end + 1;
    if (isUtf8(bytes)) continue;
    const text = bytes.toString('latin1');
    if (/^[ \t]*#/.test(text)) continue;
    const values = [...text.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map((match) => match[1]!);
    const wrong = values.find((value) => !isUtf8(Buffer.from(value, 'latin1')));
    const plain = wrong?.replace(/\\(.)/g, (_, char) => (char === 'n' ? '\n' : char));
    const what = plain === undefined ? 'invalid UTF-8' : `invalid label value ${quoteBytes(plain)}`;
    throw new FamilyError(`text format parsing error in line ${line}: ${what}`);
  }
}

/** Quoted as Go quotes bytes that are no text: what belongs to no character as \xHH. */
function quoteBytes(latin1: string): string {
  const bytes = Buffer.from(latin1, 'latin1');
  let text = '';
  for (let i = 0; i < bytes.length; ) {
    const size = [1, 2, 3, 4].find((length) => i + length <= bytes.length && isUtf8(bytes.subarray(i, i + length)));
    if (size === undefined) text += `\\x${bytes[i]!.toString(16).padStart(2, '0')}`;
    else text += quote(bytes.toString('utf8', i, i + size)).slice(1, -1);
    i += size ?? 1;
  }
  return `"${text}"`;
}

class PageParser {
  readonly #text: string;
  readonly #allowUtf8: boolean;
  readonly #families = new Map<string, Building>();
  #at = 0;
  #line = 0;
  #hasTimestamps = false;

  constructor(text: string, allowUtf8: boolean) {
    this.#text = text;
    this.#allowUtf8 = allowUtf8;
  }

  parse(): ParsedPage {
    while (this.#at < this.#text.length) {
      this.#line++;
      this.#blanks();
      const char = this.#text[this.#at];
      if (char === undefined) break;
      if (char === '\n') this.#at++;
      else if (char === '#') this.#comment();
      else this.#sample();
    }
    const families: ParsedFamily[] = [];
    for (const { name, type, help, metrics } of this.#families.values())
      if (metrics.length > 0)
        families.push({
          name,
          type: type ?? 'untyped',
          help: help ?? '',
          metrics: metrics.map(({ labels, value }) => ({ labels, value: finished(type, value) })),
        });
    return { families, hasTimestamps: this.#hasTimestamps };
  }

  #fail(message: string): never {
    throw new FamilyError(`text format parsing error in line ${this.#line}: ${message}`);
  }

  /** The character under way; the text must not end here. */
  #char(): string {
    const char = this.#text[this.#at];
    if (char === undefined) this.#fail('unexpected end of input stream');
    return char;
  }

  #blanks(): void {
    while (this.#text[this.#at] === ' ' || this.#text[this.#at] === '\t') this.#at++;
  }

  #word(): string {
    const start = this.#at;
    while (this.#at < this.#text.length && !' \t\n'.includes(this.#text[this.#at]!)) this.#at++;
    this.#char();
    return this.#text.slice(start, this.#at);
  }

  #comment(): void {
    this.#at++;
    this.#blanks();
    const keyword = this.#char() === '\n' ? '' : this.#word();
    if (keyword === 'HELP' || keyword === 'TYPE') {
      this.#blanks();
      const name = this.#name(true);
      if (this.#char() !== '\n') {
        if (!' \t'.includes(this.#char())) this.#fail('invalid metric name in comment');
        const family = this.#family(name);
        this.#blanks();
        if (this.#char() !== '\n') keyword === 'HELP' ? this.#help(family) : this.#type(family);
      }
    }
    while (this.#char() !== '\n') this.#at++;
    this.#at++;
  }

  #help(family: Building): void {
    if (family.help !== undefined) this.#fail(`second HELP line for metric name ${quote(family.name)}`);
    let help = '';
    for (; this.#char() !== '\n'; this.#at++) help += this.#char() === '\\' ? this.#escaped() : this.#char();
    family.help = help;
  }

  #type(family: Building): void {
    if (family.type !== undefined)
      this.#fail(`second TYPE line for metric name ${quote(family.name)}, or TYPE reported after samples`);
    const start = this.#at;
    while (this.#char() !== '\n') this.#at++;
    const word = this.#text.slice(start, this.#at);
    const type = TYPES[word.toUpperCase()];
    if (type === undefined) this.#fail(`unknown metric type ${quote(word)}`);
    family.type = type;
  }

  /** After a backslash; leaves the position on the escaped character. */
  #escaped(): string {
    this.#at++;
    const char = this.#char();
    if (char === '\\' || char === '"') return char;
    if (char === 'n') return '\n';
    this.#fail(`invalid escape sequence '\\${char}'`);
  }

  /** A bare or quoted name; '' if there is none. */
  #name(allowColon: boolean): string {
    if (this.#text[this.#at] === '"') return this.#quoted('name');
    const start = this.#at;
    const first = allowColon ? /[a-zA-Z_:]/ : /[a-zA-Z_]/;
    const more = allowColon ? /[a-zA-Z0-9_:]/ : /[a-zA-Z0-9_]/;
    if (!first.test(this.#char())) return '';
    while (this.#at < this.#text.length && more.test(this.#text[this.#at]!)) this.#at++;
    this.#char();
    return this.#text.slice(start, this.#at);
  }

  #quoted(what: 'name' | 'value'): string {
    this.#at++;
    let text = '';
    for (; this.#char() !== '"'; this.#at++) {
      if (this.#char() === '\n')
        this.#fail(`${what === 'name' ? 'metric name' : 'label value'} ${quote(text)} contains unescaped new-line`);
      text += this.#char() === '\\' ? this.#escaped() : this.#char();
    }
    this.#at++;
    return text;
  }

  /** The family a name belongs to: _sum, _count and _bucket belong to the histogram or summary before them. */
  #family(name: string): Building {
    const exact = this.#families.get(name);
    if (exact) return exact;
    const whole = this.#whole(name);
    if (whole) return whole;
    const isLegacy = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name);
    if (!isLegacy && !this.#allowUtf8) this.#fail(`invalid metric name ${quote(name)}`);
    const family: Building = { name, type: undefined, help: undefined, metrics: [], wholes: new Map() };
    this.#families.set(name, family);
    return family;
  }

  #whole(name: string): Building | undefined {
    const match = /^(.*)_(count|sum|bucket)$/s.exec(name);
    const family = match && this.#families.get(match[1]!);
    if (!family) return undefined;
    const isHistogram = family.type === 'histogram' || family.type === 'gaugehistogram';
    return isHistogram || (family.type === 'summary' && match[2] !== 'bucket') ? family : undefined;
  }

  #sample(): void {
    let name = '';
    let family: Building | undefined;
    if (this.#text[this.#at] !== '{') {
      name = this.#name(true);
      if (name === '') this.#fail('invalid metric name');
      family = this.#open(name);
      this.#blanks();
    }
    const labels: string[] = [];
    const special = { quantile: NaN, le: NaN };
    if (this.#char() === '{') {
      const inside = this.#labels(family, labels, special);
      family ??= inside.family;
      name ||= inside.name;
      if (!family) this.#fail('invalid metric name');
    }
    this.#blanks();
    const word = this.#word();
    const value = parseFloatLike(word);
    if (value === undefined) this.#fail(`expected float as value, got ${quote(word)}`);
    this.#add(family!, name, labels, special, value);
    this.#rest();
  }

  #open(name: string): Building {
    const family = this.#family(name);
    family.type ??= 'untyped';
    return family;
  }

  #labels(
    family: Building | undefined,
    labels: string[],
    special: { quantile: number; le: number },
  ): { family: Building | undefined; name: string } {
    let name = '';
    this.#at++;
    for (;;) {
      this.#blanks();
      if (this.#char() === '}') break;
      const label = this.#name(false);
      if (label === '') this.#fail(`invalid label name for metric ${quote(family?.name ?? '')}`);
      this.#blanks();
      if (this.#char() !== '=') {
        if (name !== '' || family) {
          if (name !== '') this.#fail(`multiple metric names for metric ${quote(family?.name ?? name)}`);
          this.#fail(`expected '=' after label name, found '${this.#char()}'`);
        }
        if (!',}'.includes(this.#char())) this.#fail(`unexpected end of metric name '${this.#char()}'`);
        name = label;
        family = this.#open(name);
      } else this.#label(label, family, labels, special);
      if (this.#char() === ',') this.#at++;
      else if (this.#char() !== '}') this.#fail(`unexpected end of label value ${quote(labels.at(-1) ?? '')}`);
    }
    this.#at++;
    return { family, name };
  }

  #label(
    label: string,
    family: Building | undefined,
    labels: string[],
    special: { quantile: number; le: number },
  ): void {
    if (label === '__name__') this.#fail('label name "__name__" is reserved');
    if (!this.#allowUtf8 && !/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(label)) this.#fail(`invalid label name ${quote(label)}`);
    this.#at++;
    this.#blanks();
    if (this.#char() !== '"') this.#fail(`expected '"' at start of label value, found '${this.#char()}'`);
    const value = this.#quoted('value');
    const isBound = label === 'le' && (family?.type === 'histogram' || family?.type === 'gaugehistogram');
    if (isBound || (label === 'quantile' && family?.type === 'summary')) {
      const number = parseFloatLike(value);
      if (number === undefined) this.#fail(`expected float as value for '${label}' label, got ${quote(value)}`);
      special[isBound ? 'le' : 'quantile'] = number;
    } else {
      for (let i = 0; i < labels.length; i += 2)
        if (labels[i] === label) this.#fail(`duplicate label names for metric ${quote(family?.name ?? '')}`);
      labels.push(label, value);
    }
    this.#blanks();
  }

  #add(
    family: Building,
    name: string,
    labels: string[],
    special: { quantile: number; le: number },
    value: number,
  ): void {
    const { type } = family;
    if (type !== 'summary' && type !== 'histogram' && type !== 'gaugehistogram') {
      family.metrics.push({ labels, value });
      return;
    }
    const key = sortedKey(labels);
    let whole = family.wholes.get(key);
    if (!whole) {
      whole = { count: 0, sum: 0, parts: [] };
      family.wholes.set(key, whole);
      family.metrics.push({ labels, value: whole });
    }
    const suffix = name.slice(family.name.length);
    if (suffix === '_count') {
      if (value < 0 && type !== 'summary') this.#fail(`negative count for histogram ${quote(family.name)}`);
      whole.count = value;
    } else if (suffix === '_sum') whole.sum = value;
    else if (type === 'summary') {
      if (!Number.isNaN(special.quantile)) whole.parts.push([special.quantile, value]);
    } else if (!Number.isNaN(special.le)) {
      if (value < 0) this.#fail(`negative bucket population for histogram ${quote(family.name)}`);
      whole.parts.push([special.le, value]);
    }
  }

  #rest(): void {
    if (this.#char() !== '\n') {
      this.#blanks();
      const word = this.#word();
      if (!/^[+-]?\d+$/.test(word)) this.#fail(`expected integer as timestamp, got ${quote(word)}`);
      this.#hasTimestamps = true;
      const start = this.#at;
      while (this.#char() !== '\n') this.#at++;
      const rest = this.#text.slice(start, this.#at);
      if (rest !== '') this.#fail(`spurious string after timestamp: ${quote(rest)}`);
    }
    this.#at++;
  }
}

function finished(type: FamilyType | undefined, value: number | Whole): ParsedValue {
  if (typeof value === 'number') return { kind: 'number', number: value };
  const { count, sum, parts } = value;
  return type === 'summary'
    ? { kind: 'summary', count, sum, quantiles: parts }
    : { kind: 'histogram', count, sum, buckets: parts };
}

function sortedKey(labels: readonly string[]): string {
  const pairs: string[] = [];
  for (let i = 0; i < labels.length; i += 2) pairs.push(`${labels[i]}\xff${labels[i + 1]}`);
  return pairs.sort().join('\xff');
}

/** A float as Go reads it, without digit separators; undefined when it is none. */
export function parseFloatLike(word: string): number | undefined {
  if (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(word)) return Number(word);
  const match = /^([+-]?)(inf|infinity|nan)$/i.exec(word);
  if (match) {
    if (match[2]!.toLowerCase() === 'nan') return match[1] === '' ? NaN : undefined;
    return match[1] === '-' ? -Infinity : Infinity;
  }
  return /^[+-]?0x[0-9a-f]+$/i.test(word) ? Number(word.replace(/^\+/, '')) : undefined;
}
