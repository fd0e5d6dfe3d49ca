// ULIDs name blocks: 48 bits of time and 80 of chance in 26 characters of Crockford's base 32, so that names sort by time.

import type { Random } from '#base/random.ts';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

export function newUlid(nowMs: number, random: Random): string {
  let time = '';
  for (let rest = nowMs, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) time = ALPHABET[rest % 32] + time;
  let chance = '';
  for (let i = 0; i < 16; i++) chance += ALPHABET[random.below(32)];
  return time + chance;
}

export const isUlid = (text: string): boolean => ULID.test(text);

/** When a ULID was made, milliseconds since the epoch. */
export function ulidTime(ulid: string): number {
  let time = 0;
  for (let i = 0; i < 10; i++) time = time * 32 + ALPHABET.indexOf(ulid[i]!);
  return time;
}
