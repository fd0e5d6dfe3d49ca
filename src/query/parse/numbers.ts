// Numbers and durations as the language writes them. Integers may be decimal, hexadecimal (0x), octal (a leading 0) and
// carry underscores; anything else is a float, "Inf" or "NaN".

import { parseDuration } from '#base/units.ts';
import { goQuote } from './quote.ts';

/** Undefined when the text is no number. */
export function parseNumber(text: string): number | undefined {
  const plain = text.replaceAll('_', '');
  const lower = plain.toLowerCase();
  if (lower === 'inf') return Infinity;
  if (lower === 'nan') return Number.NaN;
  if (/^0x[0-9a-f]+$/.test(lower)) return Number(lower);
  if (/^0[0-7]+$/.test(lower)) return Number.parseInt(lower, 8);
  if (/^\d*\.?\d*(e[+-]?\d+)?$/.test(lower) && /\d/.test(lower)) {
    const value = Number(lower);
    return Number.isFinite(value) ? value : undefined;
  }
  return undefined;
}

/** Milliseconds, or the message that says why not. */
export function parseDurationText(text: string): number | string {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  return /^(\d+y)?(\d+w)?(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$/.test(text)
    ? 'duration out of range'
    : `not a valid duration string: ${goQuote(text)}`;
}

/** What fits in 64 bits of nanoseconds. */
export const MAX_DURATION_SECONDS = 2 ** 63 / 1e9;

/** Seconds as written to whole milliseconds, through nanoseconds. */
export const secondsToMs = (seconds: number): number => Math.trunc(Math.round(seconds * 1e9) / 1e6);
