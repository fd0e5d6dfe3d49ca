// Parameters of the query API as Prometheus reads them: times as seconds or RFC 3339, durations as seconds or "5m", limits,
// matchers. What cannot be read is a bad_data error that names the parameter.

import { UserError } from '#base/errors.ts';
import { parseDuration } from '#base/units.ts';
import { compileMatcher, type Matcher } from '#model/matcher.ts';
import type { TimeRange } from '#model/query.ts';
import { parseSelector } from '#query/parse/parser.ts';
import { goQuote } from '#query/parse/quote.ts';
import { ApiError } from './http.ts';

/** What Prometheus takes as the beginning and the end of time. */
export const MIN_TIME = -9_223_309_901_257_974;
export const MAX_TIME = 9_223_309_901_257_974;
const MIN_TIME_TEXT = '-292273086-05-16T16:47:06Z';
const MAX_TIME_TEXT = '292277025-08-18T07:12:54.999999999Z';

export const invalidParameter = (name: string, reason: string): ApiError =>
  new ApiError('bad_data', `invalid parameter ${goQuote(name)}: ${reason}`);

const isFloat = (text: string): boolean => /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text);

export function parseTime(text: string): number {
  if (isFloat(text)) return Math.round(Number(text) * 1000);
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)$/.exec(text);
  const whole = match ? Date.parse(`${match[1]}${match[3]}`) : Number.NaN;
  if (!Number.isNaN(whole)) return whole + Math.trunc(Number(`0${match![2] ?? ''}`) * 1000);
  if (text === MIN_TIME_TEXT) return MIN_TIME;
  if (text === MAX_TIME_TEXT) return MAX_TIME;
  throw new UserError(`cannot parse ${goQuote(text)} to a valid timestamp`);
}

/** Milliseconds. */
export function parseStep(text: string): number {
  if (isFloat(text)) {
    const ms = Number(text) * 1000;
    if (Math.abs(ms) > 9_223_372_036_854) {
      throw new UserError(`cannot parse ${goQuote(text)} to a valid duration. It overflows int64`);
    }
    return ms;
  }
  const ms = parseDuration(text);
  if (ms === undefined) throw new UserError(`cannot parse ${goQuote(text)} to a valid duration`);
  return ms;
}

export class Parameters {
  readonly #query: URLSearchParams;

  constructor(query: URLSearchParams) {
    this.#query = query;
  }

  text(name: string): string {
    return this.#query.get(name) ?? '';
  }

  #read<T>(name: string, read: (text: string) => T): T {
    try {
      return read(this.text(name));
    } catch (error) {
      if (error instanceof UserError) throw invalidParameter(name, error.reason);
      throw error;
    }
  }

  time(name: string): number {
    return this.#read(name, parseTime);
  }

  timeOr(name: string, otherwise: number): number {
    if (this.text(name) === '') return otherwise;
    return this.#read(name, (text) => {
      try {
        return parseTime(text);
      } catch (error) {
        if (error instanceof UserError) throw new UserError(`invalid time value for '${name}': ${error.reason}`);
        throw error;
      }
    });
  }

  duration(name: string): number {
    return this.#read(name, parseStep);
  }

  durationOr<T>(name: string, otherwise: T): number | T {
    return this.text(name) === '' ? otherwise : this.duration(name);
  }

  /** 0: no limit. */
  limit(): number {
    const text = this.text('limit');
    if (text === '') return 0;
    if (!/^[+-]?\d+$/.test(text))
      throw invalidParameter('limit', `strconv.Atoi: parsing ${goQuote(text)}: invalid syntax`);
    if (Number(text) < 0) throw invalidParameter('limit', 'limit must be non-negative');
    return Number(text);
  }

  flag(name: string): boolean {
    const text = this.text(name);
    return text !== '' && text !== 'false' && text !== '0';
  }

  range(): TimeRange {
    return { min: this.timeOr('start', MIN_TIME), max: this.timeOr('end', MAX_TIME) };
  }

  /** The sets of `match[]`; each must exclude something. */
  matcherSets(): (readonly Matcher[])[] {
    const sets = this.#query.getAll('match[]').map((text) => {
      try {
        return parseSelector(text);
      } catch (error) {
        if (error instanceof UserError) throw new ApiError('bad_data', error.message);
        throw error;
      }
    });
    for (const set of sets) {
      if (set.some((matcher) => !compileMatcher(matcher)(''))) continue;
      throw new ApiError('bad_data', 'match[] must contain at least one non-empty matcher');
    }
    return sets;
  }
}
