// Numbers for people: SI and binary prefixes, durations, percentages, times.

import { formatFloat } from './float.ts';
import { GoDuration, GoTime } from './time.ts';
import { basicOf, typeName, type Value } from './value.ts';

/** A number from a number, a duration (in seconds) or text. */
export function toFloat(value: Value): number {
  if (value instanceof GoDuration) return Number(value.nanoseconds) / 1e9;
  const basic = typeof value === 'object' ? undefined : basicOf(value);
  if (typeof basic === 'number') return basic;
  if (typeof basic === 'bigint') return Number(basic);
  if (typeof basic === 'string') return parseGoFloat(basic);
  throw new Error(`can't convert ${typeName(value)} to float`);
}

/** strconv.ParseFloat. */
function parseGoFloat(text: string): number {
  const special = /^([+-]?)(inf(?:inity)?|nan)$/i.exec(text);
  if (special) {
    if (special[2]!.toLowerCase() === 'nan') {
      if (special[1] === '') return Number.NaN;
    } else return special[1] === '-' ? -Infinity : Infinity;
  }
  const hex = /^([+-]?)0x([0-9a-f]*)\.?([0-9a-f]*)p([+-]?\d+)$/i.exec(text);
  if (hex && hex[2]! + hex[3]! !== '') {
    const size = Number.parseInt(hex[2]! + hex[3]!, 16) * 2 ** (Number(hex[4]) - 4 * hex[3]!.length);
    return hex[1] === '-' ? -size : size;
  }
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) {
    throw new Error(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  const number = Number(text);
  if (!Number.isFinite(number))
    throw new Error(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: value out of range`);
  return number;
}

const short = (value: number): string => formatFloat(value, 'g', 4);

/** Divides by `base` until below it; names how often. */
function scaleUp(value: number, base: number, prefixes: readonly string[]): string {
  let scaled = value;
  let prefix = '';
  for (const next of prefixes) {
    if (Math.abs(scaled) < base) break;
    prefix = next;
    scaled /= base;
  }
  return short(scaled) + prefix;
}

const SMALL = ['m', 'u', 'n', 'p', 'f', 'a', 'z', 'y'];

function scaleDown(value: number): string {
  let scaled = value;
  let prefix = '';
  for (const next of SMALL) {
    if (Math.abs(scaled) >= 1) break;
    prefix = next;
    scaled *= 1000;
  }
  return short(scaled) + prefix;
}

export function humanize(input: Value): string {
  const value = toFloat(input);
  if (value === 0 || !Number.isFinite(value)) return short(value);
  if (Math.abs(value) < 1) return scaleDown(value);
  return scaleUp(value, 1000, ['k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y']);
}

export function humanize1024(input: Value): string {
  const value = toFloat(input);
  if (Math.abs(value) <= 1 || !Number.isFinite(value)) return short(value);
  return scaleUp(value, 1024, ['ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'Zi', 'Yi']);
}

export function humanizeDuration(input: Value): string {
  const value = toFloat(input);
  if (!Number.isFinite(value)) return short(value);
  if (value === 0) return `${short(value)}s`;
  if (Math.abs(value) < 1) return `${scaleDown(value)}s`;
  const sign = value < 0 ? '-' : '';
  const size = Math.abs(value);
  const whole = Math.trunc(size);
  const seconds = whole % 60;
  const minutes = Math.floor(whole / 60) % 60;
  const hours = Math.floor(whole / 3600) % 24;
  const days = Math.floor(whole / 86400);
  if (days > 0) return `${sign}${days}d ${hours}h ${minutes}m ${seconds}s`;
  if (hours > 0) return `${sign}${hours}h ${minutes}m ${seconds}s`;
  if (minutes > 0) return `${sign}${minutes}m ${seconds}s`;
  return `${sign}${short(size)}s`;
}

export const humanizePercentage = (input: Value): string => `${short(toFloat(input) * 100)}%`;

export function humanizeTimestamp(input: Value): string {
  const value = toFloat(input);
  return Number.isFinite(value) ? secondsToTime(value).text() : short(value);
}

/** The moment that many seconds after the epoch. */
export function secondsToTime(seconds: number): GoTime {
  if (!Number.isFinite(seconds)) throw new Error('value is NaN or Inf');
  const ns = seconds * 1e9;
  if (Math.abs(ns) > 2 ** 63) {
    throw new Error(
      `${formatFloat(seconds, 'g', -1)} cannot be represented as a nanoseconds timestamp since it overflows int64`,
    );
  }
  // Prometheus' timestamps are whole milliseconds.
  return new GoTime(Number(BigInt(Math.trunc(ns)) / 1_000_000n));
}
