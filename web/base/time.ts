// Times as people write and read them: relative ranges (now-1h/d), durations as PromQL has them, and instants in the
// chosen time zone.

import { settings } from './settings.ts';

export type Range = { readonly from: string; readonly to: string };
export type Span = { readonly fromMs: number; readonly toMs: number };

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
  M: 30 * 86_400_000,
  Q: 91 * 86_400_000,
  y: 365 * 86_400_000,
};

/** '1h30m' or '90s' in milliseconds; undefined when it is no duration. */
export function parseDuration(text: string): number | undefined {
  const trimmed = text.trim();
  if (/^\d+(\.\d+)?$/.test(trimmed)) return Number(trimmed) * 1000;
  let total = 0;
  let at = 0;
  for (const match of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdwMQy])/g)) {
    if (match.index !== at) return undefined;
    total += Number(match[1]) * UNIT_MS[match[2]!]!;
    at += match[0].length;
  }
  return at === trimmed.length && at > 0 ? total : undefined;
}

/** The shortest exact form: 5400000 is '1h30m'. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  let left = Math.round(Math.abs(ms));
  let text = '';
  for (const unit of ['d', 'h', 'm', 's', 'ms']) {
    const size = UNIT_MS[unit]!;
    const count = Math.floor(left / size);
    if (count > 0) text += `${count}${unit}`;
    left -= count * size;
  }
  return (ms < 0 ? '-' : '') + text;
}

/** 'now', 'now-6h', 'now-1d/d', milliseconds, or an ISO instant. Rounding goes to the end of the unit for a range's end. */
export function resolveInstant(text: string, nowMs: number, isEnd: boolean): number | undefined {
  const trimmed = text.trim();
  const relative = /^now(?:([+-])(\d+(?:\.\d+)?)(ms|[smhdwMQy]))?(?:\/([smhdwMQy]))?$/.exec(trimmed);
  if (relative) {
    const [, sign, count, unit, round] = relative;
    let at = nowMs;
    if (sign && unit) at = shift(at, (sign === '-' ? -1 : 1) * Number(count), unit);
    if (round) at = roundTo(at, round, isEnd);
    return at;
  }
  if (/^\d{9,10}(\.\d+)?$/.test(trimmed)) return Number(trimmed) * 1000;
  if (/^-?\d+$/.test(trimmed)) return Number(trimmed);
  const parsed = Date.parse(trimmed.replace(/^(\d{4}-\d\d-\d\d) (\d\d:\d\d(:\d\d)?)$/, '$1T$2'));
  return Number.isNaN(parsed) ? undefined : parsed;
}

function shift(at: number, count: number, unit: string): number {
  if (unit !== 'M' && unit !== 'y') return at + count * UNIT_MS[unit]!;
  const date = new Date(at);
  if (unit === 'M') date.setMonth(date.getMonth() + count);
  else date.setFullYear(date.getFullYear() + count);
  return date.getTime();
}

function roundTo(at: number, unit: string, up: boolean): number {
  const date = new Date(at);
  const utc = settings().timeZone === 'UTC';
  const parts = utc
    ? [
        date.getUTCFullYear(),
        date.getUTCMonth(),
        date.getUTCDate(),
        date.getUTCHours(),
        date.getUTCMinutes(),
        date.getUTCSeconds(),
      ]
    : [date.getFullYear(), date.getMonth(), date.getDate(), date.getHours(), date.getMinutes(), date.getSeconds()];
  const keep = { y: 1, Q: 2, M: 2, w: 3, d: 3, h: 4, m: 5, s: 6 }[unit] ?? 6;
  for (let i = keep; i < 6; i++) parts[i] = i === 2 ? 1 : 0;
  if (unit === 'w') parts[2]! -= ((utc ? date.getUTCDay() : date.getDay()) + 6) % 7;
  if (unit === 'Q') parts[1]! -= parts[1]! % 3;
  if (up) {
    if (unit === 'w') parts[2]! += 7;
    else if (unit === 'Q') parts[1]! += 3;
    else parts[keep - 1]! += 1;
  }
  const [y, mo, d, h, mi, s] = parts as [number, number, number, number, number, number];
  return (utc ? Date.UTC(y, mo, d, h, mi, s) : new Date(y, mo, d, h, mi, s).getTime()) - (up ? 1 : 0);
}

export function resolveRange(range: Range, nowMs: number): Span {
  const toMs = resolveInstant(range.to, nowMs, true) ?? nowMs;
  const fromMs = resolveInstant(range.from, nowMs, false) ?? toMs - UNIT_MS.h!;
  return fromMs < toMs ? { fromMs, toMs } : { fromMs: toMs - 60_000, toMs };
}

const STEPS_S = [
  1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800,
];

/** A round step that gives at most so many points, never below the least step. */
export function stepFor(span: Span, points: number, leastMs: number): number {
  const wanted = (span.toMs - span.fromMs) / Math.max(1, points);
  if (wanted <= leastMs) return leastMs;
  for (const seconds of STEPS_S) if (seconds * 1000 >= wanted && seconds * 1000 >= leastMs) return seconds * 1000;
  return Math.ceil(wanted / 86_400_000) * 86_400_000;
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(options: Intl.DateTimeFormatOptions, zone: string): Intl.DateTimeFormat {
  const key = zone + JSON.stringify(options);
  let made = formatters.get(key);
  if (!made) {
    made = new Intl.DateTimeFormat('sv-SE', {
      ...options,
      hourCycle: 'h23',
      ...(zone === 'local' ? {} : { timeZone: zone }),
    });
    formatters.set(key, made);
  }
  return made;
}

const DATE: Intl.DateTimeFormatOptions = { year: 'numeric', month: '2-digit', day: '2-digit' };
const TIME: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit', second: '2-digit' };

/** 2026-11-21 08:30:05, in the chosen zone. */
export const formatInstant = (ms: number, zone = settings().timeZone): string =>
  Number.isFinite(ms) ? formatter({ ...DATE, ...TIME }, zone).format(ms) : '–';
export const formatTime = (ms: number, zone = settings().timeZone): string => formatter(TIME, zone).format(ms);
export const formatDate = (ms: number, zone = settings().timeZone): string => formatter(DATE, zone).format(ms);

/** How far the zone is ahead of UTC at an instant, in milliseconds. */
export function zoneOffset(ms: number, zone = settings().timeZone): number {
  if (zone === 'UTC') return 0;
  if (zone === 'local') return -new Date(ms).getTimezoneOffset() * 60_000;
  return Date.parse(`${formatInstant(ms, zone).replace(' ', 'T')}Z`) - Math.floor(ms / 1000) * 1000;
}

/** 'yyyy-mm-ddThh:mm:ss' as date inputs have it, read in the chosen zone. */
export function parseLocalInput(text: string, zone = settings().timeZone): number | undefined {
  const asUtc = Date.parse(`${text.length === 16 ? `${text}:00` : text}Z`);
  if (Number.isNaN(asUtc)) return undefined;
  const guess = asUtc - zoneOffset(asUtc, zone);
  return asUtc - zoneOffset(guess, zone);
}

export const toLocalInput = (ms: number, zone = settings().timeZone): string =>
  formatInstant(ms, zone).replace(' ', 'T');

/** '3m 20s' since an instant; '–' for none. */
export function formatAgo(ms: number, nowMs: number): string {
  if (!Number.isFinite(ms) || ms <= 0) return '–';
  const seconds = Math.max(0, (nowMs - ms) / 1000);
  if (seconds < 1) return `${Math.round(seconds * 1000)}ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${Math.floor(seconds % 60)}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`;
  return `${Math.floor(seconds / 86_400)}d ${Math.floor((seconds % 86_400) / 3600)}h`;
}

export function zoneChoices(): string[] {
  const all = typeof Intl.supportedValuesOf === 'function' ? Intl.supportedValuesOf('timeZone') : [];
  return ['local', 'UTC', ...all.filter((zone) => zone !== 'UTC')];
}
