// Reads exposition text, both formats, entry by entry. Errors are worded as Prometheus words them. The reader can be put
// down at any line of a page, so that the kernel hands it just the lines it does not know.

import { isUtf8 } from 'node:buffer';
import type { MetricType } from '#model/batch.ts';
import { compareText, type Labels, METRIC_NAME, quote } from '#model/labels.ts';
import { type EntryKind, type EntryReader, ExpositionError, NO_NAMES, type PageExemplar } from './entries.ts';
import { Lexer, type Token } from './lex.ts';
import { formatOpenMetricsFloat, parseFloat64 } from './number.ts';

const TEXT_TYPES = new Map<string, MetricType>([
  ['counter', 'counter'],
  ['gauge', 'gauge'],
  ['histogram', 'histogram'],
  ['summary', 'summary'],
  ['untyped', 'unknown'],
]);
const OPENMETRICS_TYPES = new Map<string, MetricType>(
  (['counter', 'gauge', 'histogram', 'gaugehistogram', 'summary', 'info', 'stateset', 'unknown'] as const).map((t) => [
    t,
    t,
  ]),
);

export class TextReader implements EntryReader {
  value = 0;
  timestamp = Number.NaN;
  readonly start = 0;
  readonly histogram = undefined;
  familyName = '';
  familyType: MetricType = 'unknown';
  familyText = '';
  /** The series text is bytes[seriesStart, seriesEnd): name and labels, without value. */
  seriesStart = 0;
  seriesEnd = 0;
  readonly #lexer: Lexer;
  readonly #isOpenMetrics: boolean;
  #bytes: Buffer = Buffer.alloc(0);
  #lineStart = 0;
  // Positions of [name start, name end, then per label: name start, name end, value start, value end].
  #offsets: number[] = [];
  #exemplarOffsets: number[] = [];
  #exemplarValue = 0;
  #exemplarTimestamp = Number.NaN;
  #hasExemplar = false;

  constructor(format: 'text' | 'openmetrics') {
    this.#isOpenMetrics = format === 'openmetrics';
    this.#lexer = new Lexer(this.#isOpenMetrics);
  }

  /**
   * Pages in the text format must end with a line break: see `withLastLinebreak`. Put down in the middle of a page the reader
   * knows the type of the family only if it keeps what it knew.
   */
  reset(page: Uint8Array, length = page.length, at = 0, keepsFamily = false): void {
    if (!keepsFamily) this.familyType = 'unknown';
    this.#bytes = Buffer.from(page.buffer, page.byteOffset, page.byteLength);
    this.#lexer.reset(this.#bytes, length, at);
  }

  /** Where the line of the last entry starts. */
  get entryStart(): number {
    return this.#lineStart;
  }

  /** Where the next entry starts. */
  get at(): number {
    return this.#lexer.at;
  }

  next(): EntryKind {
    this.#hasExemplar = false;
    return this.#isOpenMetrics ? this.#nextOpenMetrics() : this.#nextText();
  }

  key(): string {
    return this.#bytes.toString('latin1', this.seriesStart, this.seriesEnd);
  }

  emptyNames: readonly string[] = NO_NAMES;

  labels(): Labels {
    const offsets = this.#offsets;
    const flat: string[] = [METRIC_NAME, this.#unescaped(offsets[0]!, offsets[1]!)];
    let hasEmpty = flat[1] === '';
    for (let i = 2; i < offsets.length; i += 4) {
      const name = this.#unescaped(offsets[i]!, offsets[i + 1]!);
      const value = this.#normalised(name, this.#unescaped(offsets[i + 2]!, offsets[i + 3]!));
      if (value === '') hasEmpty = true;
      insertLabel(flat, name, value);
    }
    this.emptyNames = hasEmpty ? flat.filter((_, i) => i % 2 === 0 && flat[i + 1] === '') : NO_NAMES;
    return hasEmpty ? withoutEmpty(flat) : flat;
  }

  exemplars(): readonly PageExemplar[] {
    if (!this.#hasExemplar) return [];
    const pairs: [string, string][] = [];
    const offsets = this.#exemplarOffsets;
    for (let i = 0; i < offsets.length; i += 4) {
      pairs.push([this.#unescaped(offsets[i]!, offsets[i + 1]!), this.#unescaped(offsets[i + 2]!, offsets[i + 3]!)]);
    }
    return [{ labels: sortedUnique(pairs), value: this.#exemplarValue, timestamp: this.#exemplarTimestamp }];
  }

  #nextText(): EntryKind {
    const lexer = this.#lexer;
    for (;;) {
      this.#lineStart = lexer.at;
      lexer.state = 'init';
      const token = this.#token();
      switch (token) {
        case 'EOF':
          return 'end';
        case 'LINEBREAK':
          continue;
        case 'COMMENT':
          this.#expectLinebreak('linebreak expected after comment');
          return 'comment';
        case 'HELP':
        case 'TYPE': {
          this.#familyName(token);
          const text = this.#token();
          if (text !== 'TEXT') throw new ExpositionError(`expected text in ${token}, got ${text}`);
          const [from, to] = [Math.min(lexer.start + 1, lexer.at), lexer.at];
          const kind = this.#metadata(token, from, to);
          this.#expectLinebreak('linebreak expected after metadata');
          return kind;
        }
        default:
          return this.#series(token);
      }
    }
  }

  #nextOpenMetrics(): EntryKind {
    const lexer = this.#lexer;
    this.#lineStart = lexer.at;
    lexer.state = 'init';
    const token = this.#token();
    switch (token) {
      case 'EOFWORD':
        if (this.#token() !== 'EOF') throw new ExpositionError('unexpected data after # EOF');
        return 'end';
      case 'EOF':
        throw new ExpositionError('data does not end with # EOF');
      case 'HELP':
      case 'TYPE':
      case 'UNIT': {
        this.#familyName(token);
        if (this.#token() !== 'TEXT') throw new ExpositionError(`expected text in ${token}`);
        return this.#metadata(token, lexer.start + 1, lexer.at - 1);
      }
      default:
        return this.#series(token);
    }
  }

  #familyName(after: Token): void {
    const token = this.#token();
    if (token !== 'MNAME') throw this.#unexpected(`expected metric name after ${after}`, token);
    const { start, at } = this.#lexer;
    this.familyName =
      this.#bytes[start] === 34 ? this.#unescaped(start + 1, at - 1) : this.#bytes.toString('latin1', start, at);
  }

  #metadata(token: 'HELP' | 'TYPE' | 'UNIT', from: number, to: number): EntryKind {
    const raw = this.#bytes.subarray(from, to);
    const text = raw.toString('utf8');
    switch (token) {
      case 'TYPE': {
        const type = (this.#isOpenMetrics ? OPENMETRICS_TYPES : TEXT_TYPES).get(text);
        if (type === undefined) throw new ExpositionError(`invalid metric type ${quote(text)}`);
        this.familyType = type;
        return 'type';
      }
      case 'HELP':
        if (!isUtf8(raw)) throw new ExpositionError(`help text ${quote(text)} is not a valid utf8 string`);
        this.familyText = text.includes('\\') ? (this.#isOpenMetrics ? unescapeValue(text) : unescapeHelp(text)) : text;
        return 'help';
      case 'UNIT':
        if (text !== '' && !this.familyName.endsWith(`_${text}`)) {
          throw new ExpositionError(`unit ${quote(text)} not a suffix of metric ${quote(this.familyName)}`);
        }
        this.familyText = text;
        return 'unit';
    }
  }

  #series(first: Token): EntryKind {
    const lexer = this.#lexer;
    this.seriesStart = this.#lineStart;
    let after: Token;
    if (first === 'MNAME') {
      this.#offsets = [lexer.start, lexer.at];
      this.seriesEnd = lexer.at;
      after = this.#token();
      if (after === 'BOPEN') {
        this.#labelPairs(this.#offsets, false);
        this.seriesEnd = lexer.at;
        after = this.#token();
      }
    } else if (first === 'BOPEN') {
      this.#offsets = [-1, -1];
      this.#labelPairs(this.#offsets, false);
      this.seriesEnd = lexer.at;
      after = this.#token();
    } else throw this.#unexpected('expected a valid start token', first);
    if (this.#offsets[0] === -1)
      throw new ExpositionError(`metric name not set while parsing: ${this.#soFar(lexer.at)}`);
    if (after !== 'VALUE') {
      throw this.#unexpected(`expected value after metric`, after);
    }
    this.value = this.#float();
    this.timestamp = Number.NaN;
    this.#endOfLine();
    return 'series';
  }

  #endOfLine(): void {
    const isOpenMetrics = this.#isOpenMetrics;
    let token = this.#token();
    if (token === 'LINEBREAK') return;
    if (token === 'TIMESTAMP') {
      const { start, at } = this.#lexer;
      if (isOpenMetrics) this.timestamp = this.#seconds('timestamp');
      else {
        this.timestamp = Number(this.#bytes.toString('latin1', start, at));
        if (this.timestamp > Number.MAX_SAFE_INTEGER) {
          const digits = quote(this.#bytes.toString('latin1', start, at));
          throw new ExpositionError(
            `strconv.ParseInt: parsing ${digits}: value out of range while parsing: ${this.#soFar(at)}`,
          );
        }
      }
      token = this.#token();
      if (token === 'LINEBREAK') return;
      if (token === 'COMMENT' && isOpenMetrics) {
        this.#exemplar();
        return;
      }
      throw this.#unexpected('expected next entry after timestamp', token);
    }
    if (token === 'COMMENT' && isOpenMetrics) {
      this.#exemplar();
      return;
    }
    if (token === 'EOF') throw new ExpositionError('data does not end with # EOF');
    throw this.#unexpected('expected timestamp or new record', token);
  }

  #exemplar(): void {
    this.#exemplarOffsets = [];
    this.#labelPairs(this.#exemplarOffsets, true);
    const token = this.#token();
    if (token !== 'VALUE') throw this.#unexpected('expected value after exemplar labels', token);
    this.#exemplarValue = this.#float();
    this.#exemplarTimestamp = Number.NaN;
    this.#hasExemplar = true;
    switch (this.#token()) {
      case 'LINEBREAK':
        return;
      case 'EOF':
        throw new ExpositionError('data does not end with # EOF');
      case 'TIMESTAMP': {
        this.#exemplarTimestamp = this.#seconds('exemplar timestamp');
        const last = this.#token();
        if (last !== 'LINEBREAK') throw this.#unexpected('expected next entry after exemplar timestamp', last);
        return;
      }
      default:
        throw this.#unexpected('expected timestamp or comment', 'INVALID');
    }
  }

  #labelPairs(offsets: number[], isExemplar: boolean): void {
    const lexer = this.#lexer;
    let token = this.#token();
    while (token !== 'BCLOSE') {
      let { start, at } = lexer;
      const isQuoted = token === 'QSTRING';
      if (!isQuoted && token !== 'LNAME') throw this.#unexpected('expected label name', token);
      token = this.#token();
      if (isQuoted) {
        start++;
        at--;
        // Quoted text that is not followed by "=" is the metric's name.
        if (token === 'COMMA' || token === 'BCLOSE') {
          if (isExemplar) throw this.#unexpected('expected label name', token);
          if (offsets[0] !== -1) {
            throw new ExpositionError(`metric name already set while parsing: ${this.#soFar(lexer.at)}`);
          }
          offsets[0] = start;
          offsets[1] = at;
          if (token === 'COMMA') token = this.#token();
          continue;
        }
      }
      if (token !== 'EQUAL') throw this.#unexpected('expected equal', token);
      token = this.#token();
      if (token !== 'LVALUE') throw this.#unexpected('expected label value', token);
      const value = this.#bytes.subarray(lexer.start, lexer.at);
      if (!isUtf8(value)) throw new ExpositionError(`invalid UTF-8 label value: ${quote(value.toString('latin1'))}`);
      offsets.push(start, at, lexer.start + 1, lexer.at - 1);
      token = this.#token();
      if (token === 'COMMA') token = this.#token();
      else if (this.#isOpenMetrics && token !== 'BCLOSE') {
        throw this.#unexpected('expected comma or brace close', token);
      }
    }
  }

  #token(): Token {
    for (;;) {
      const token = this.#lexer.next();
      if (token !== 'WHITESPACE') return token;
    }
  }

  #expectLinebreak(message: string): void {
    const token = this.#token();
    if (token !== 'LINEBREAK') throw this.#unexpected(message, token);
  }

  /** The number that is the current token. */
  #float(): number {
    const { start, at } = this.#lexer;
    const text = this.#bytes.toString('latin1', this.#isOpenMetrics ? start + 1 : start, at);
    const value = parseFloat64(text);
    if (value !== undefined) return value;
    const reason = /^[+-]?[\d.]+([eE][+-]?\d+)?$/.test(text) ? 'value out of range' : 'invalid syntax';
    const what = /[pP_]/.test(text)
      ? 'unsupported characters in float'
      : `strconv.ParseFloat: parsing ${quote(text)}: ${reason}`;
    throw new ExpositionError(`${what} while parsing: ${this.#soFar(at)}`);
  }

  /** OpenMetrics' timestamps are seconds. */
  #seconds(what: string): number {
    const seconds = this.#float();
    if (!Number.isFinite(seconds)) {
      throw new ExpositionError(`invalid ${what} ${Number.isNaN(seconds) ? 'NaN' : seconds > 0 ? '+Inf' : '-Inf'}`);
    }
    return Math.trunc(seconds * 1000);
  }

  #normalised(name: string, value: string): string {
    const isBound =
      (name === 'le' && this.familyType === 'histogram') || (name === 'quantile' && this.familyType === 'summary');
    if (!isBound) return value;
    const number = parseFloat64(value);
    return number === undefined ? value : formatOpenMetricsFloat(number);
  }

  #unescaped(from: number, to: number): string {
    const text = this.#bytes.toString('utf8', from, to);
    return text.includes('\\') ? unescapeValue(text) : text;
  }

  #soFar(to: number): string {
    return quote(this.#bytes.toString('utf8', this.#lineStart, to));
  }

  #unexpected(expected: string, got: Token): ExpositionError {
    const lexer = this.#lexer;
    const to = Math.min(lexer.at + 1, lexer.end);
    const text = quote(this.#bytes.toString('utf8', lexer.start, to));
    return new ExpositionError(`${expected}, got ${text} ("${got}") while parsing: ${this.#soFar(to)}`);
  }
}

const unescapeValue = (text: string) => text.replace(/\\(["\\n])/g, (_, char: string) => (char === 'n' ? '\n' : char));
const unescapeHelp = (text: string) => text.replace(/\\([\\n])/g, (_, char: string) => (char === 'n' ? '\n' : char));

export function sortedUnique(pairs: readonly (readonly [string, string])[]): Labels {
  const flat: string[] = [];
  for (const [name, value] of pairs) insertLabel(flat, name, value);
  return withoutEmpty(flat);
}

/** Labels mostly come in order already: then this only appends. */
function insertLabel(flat: string[], name: string, value: string): void {
  let at = flat.length;
  while (at > 0 && compareText(flat[at - 2]!, name) > 0) at -= 2;
  if (at > 0 && flat[at - 2] === name) {
    throw new ExpositionError(`label name ${quote(name)} is not unique: invalid sample`);
  }
  if (at === flat.length) flat.push(name, value);
  else flat.splice(at, 0, name, value);
}

function withoutEmpty(flat: readonly string[]): Labels {
  const kept: string[] = [];
  for (let i = 0; i < flat.length; i += 2) if (flat[i + 1] !== '') kept.push(flat[i]!, flat[i + 1]!);
  return kept;
}

/** The page, with a line break at its end if it had none: the text format allows that. */
export function withLastLinebreak(page: Uint8Array): Uint8Array {
  if (page.length > 0 && page[page.length - 1] === 10) return page;
  const longer = new Uint8Array(page.length + 1);
  longer.set(page);
  longer[page.length] = 10;
  return longer;
}
