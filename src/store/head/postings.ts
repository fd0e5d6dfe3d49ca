// From matchers to slots. Equality takes postings as they are; a regular expression that is a finite set becomes their union,
// any other test runs once per value of the name. Matchers that accept an absent label only ever take series away.

import { compileRegex } from '#base/regex/regex.ts';
import { compileMatcher, type Matcher } from '#model/matcher.ts';
import type { SeriesTable } from './table.ts';

type Step =
  | { readonly kind: 'only'; readonly slots: Uint32Array }
  | { readonly kind: 'without'; readonly slots: Uint32Array };

/** Slots of the series that every matcher accepts, ascending. */
export function matchSlots(table: SeriesTable, matchers: readonly Matcher[]): Uint32Array {
  const steps: Step[] = [];
  for (const matcher of matchers) {
    const step = stepOf(table, matcher);
    if (step === 'none') return new Uint32Array(0);
    if (step !== 'all') steps.push(step);
  }
  const only = steps.filter((step) => step.kind === 'only').sort((a, b) => a.slots.length - b.slots.length);
  let slots = only.length > 0 ? only[0]!.slots.slice() : allSlots(table);
  for (const step of only.slice(1)) slots = intersect(slots, step.slots);
  for (const step of steps) if (step.kind === 'without') slots = subtract(slots, step.slots);
  return slots;
}

function allSlots(table: SeriesTable): Uint32Array {
  const { slots, series } = table.counts();
  const all = new Uint32Array(series);
  let count = 0;
  for (let slot = 0; slot < slots; slot++) if (table.isAlive(slot)) all[count++] = slot;
  return all.subarray(0, count);
}

function stepOf(table: SeriesTable, matcher: Matcher): Step | 'all' | 'none' {
  const { type, name, value } = matcher;
  const accepts = compileMatcher(matcher);
  const acceptsAbsent = accepts('');
  if (!acceptsAbsent) {
    if (type === '=') {
      const pair = table.findPair(name, value);
      return pair === 0 ? 'none' : { kind: 'only', slots: table.postings(pair) };
    }
    const literals = type === '=~' ? compileRegex(value).literals : undefined;
    const pairs = literals
      ? literals.map((literal) => table.findPair(name, literal)).filter((pair) => pair !== 0)
      : pairsWhere(table, name, accepts);
    if (pairs.length === 0) return 'none';
    return { kind: 'only', slots: union(table, pairs) };
  }
  const refused =
    type === '!=' && value !== ''
      ? [table.findPair(name, value)].filter((pair) => pair !== 0)
      : pairsWhere(table, name, (text) => !accepts(text));
  return refused.length === 0 ? 'all' : { kind: 'without', slots: union(table, refused) };
}

function pairsWhere(table: SeriesTable, name: string, test: (value: string) => boolean): number[] {
  const address = table.findName(name);
  const pairs: number[] = [];
  if (address !== 0) for (const pair of table.pairsOf(address)) if (test(table.valueOf(pair))) pairs.push(pair);
  return pairs;
}

/** A series has one value per name, so the lists are disjoint. */
function union(table: SeriesTable, pairs: readonly number[]): Uint32Array {
  if (pairs.length === 1) return table.postings(pairs[0]!);
  let total = 0;
  for (const pair of pairs) total += table.seriesOfPair(pair);
  const slots = new Uint32Array(total);
  let at = 0;
  for (const pair of pairs) {
    const list = table.postings(pair);
    slots.set(list, at);
    at += list.length;
  }
  return slots.sort();
}

/** Both ascending; `a` is the shorter one. Gallops through `b`. */
function intersect(a: Uint32Array, b: Uint32Array): Uint32Array {
  let count = 0;
  let from = 0;
  for (let i = 0; i < a.length; i++) {
    const slot = a[i]!;
    from = lowerBound(b, slot, from);
    if (from === b.length) break;
    if (b[from] === slot) a[count++] = slot;
  }
  return a.subarray(0, count);
}

function subtract(a: Uint32Array, b: Uint32Array): Uint32Array {
  let count = 0;
  let from = 0;
  for (let i = 0; i < a.length; i++) {
    const slot = a[i]!;
    from = lowerBound(b, slot, from);
    if (b[from] !== slot) a[count++] = slot;
  }
  return a.subarray(0, count);
}

function lowerBound(list: Uint32Array, slot: number, from: number): number {
  let step = 1;
  let low = from;
  let high = from;
  while (high < list.length && list[high]! < slot) {
    low = high + 1;
    high += step;
    step *= 2;
  }
  if (high > list.length) high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]! < slot) low = middle + 1;
    else high = middle;
  }
  return low;
}
