// From matchers to slots. Equality takes postings as they are; a regular expression that is a finite set becomes their union,
// any other test runs once per value of the name. Matchers that accept an absent label only ever take series away.

import { compileRegex } from '#base/regex/regex.ts';
import { compileMatcher, type Matcher } from '#model/matcher.ts';
import type { SeriesTable } from './table.ts';

type Step =
  | { readonly kind: 'only'; readonly slots: Uint32Array }
  | { readonly kind: 'without'; readonly slots: Uint32Array };

/** A matcher's regular expression, and which pairs it has been found to single out. */
type Known = {
  readonly acceptsAbsent: boolean;
  /** Whether a value is among what the step takes: accepted, or refused by a matcher that accepts an absent label. */
  readonly isTaken: (value: string) => boolean;
  readonly literals: readonly string[] | undefined;
  removals: number;
  /** Of the name's pairs the newest one that has been looked at. */
  newest: number;
  pairs: number[];
  total: number;
  slots: Uint32Array | undefined;
};

const MAX_KNOWN = 500;
/** Longer unions are worked out each time rather than kept. */
const MAX_KEPT_SLOTS = 50_000;

/** What regular expressions select, kept from one query to the next: only values that are new are tested again. */
export class MatcherMemory {
  readonly #known = new Map<string, Known>();

  of({ type, name, value }: Matcher): Known {
    const key = `${type}${name.length} ${name}${value}`;
    let known = this.#known.get(key);
    if (!known) {
      const accepts = compileMatcher({ type, name, value });
      const acceptsAbsent = accepts('');
      known = {
        acceptsAbsent,
        isTaken: acceptsAbsent ? (text) => !accepts(text) : accepts,
        literals: type === '=~' && !acceptsAbsent ? compileRegex(value).literals : undefined,
        ...{ removals: -1, newest: 0, pairs: [], total: -1, slots: undefined },
      };
      if (this.#known.size >= MAX_KNOWN) for (const oldest of this.#known.keys()) if (this.#known.delete(oldest)) break;
      this.#known.set(key, known);
    }
    return known;
  }
}

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

function stepOf(table: SeriesTable, matcher: Matcher): Step | 'all' | 'none' {
  const { type, name, value } = matcher;
  if (value !== '' && (type === '=' || type === '!=')) {
    const pair = table.findPair(name, value);
    if (pair === 0) return type === '=' ? 'none' : 'all';
    return { kind: type === '=' ? 'only' : 'without', slots: table.postings(pair) };
  }
  const known = table.matchers.of(matcher);
  const slots = unionOf(table, matcher.name, known);
  if (known.acceptsAbsent) return slots.length === 0 ? 'all' : { kind: 'without', slots };
  return slots.length === 0 ? 'none' : { kind: 'only', slots };
}

function unionOf(table: SeriesTable, name: string, known: Known): Uint32Array {
  lookAtPairs(table, name, known);
  const { pairs } = known;
  if (pairs.length === 1) return table.postings(pairs[0]!);
  let total = 0;
  for (const pair of pairs) total += table.seriesOfPair(pair);
  // Pairs only ever gain series, but for removals, after which all is looked at again.
  if (known.slots && known.total === total) return known.slots;
  const slots = union(table, pairs, total);
  known.total = total;
  known.slots = total <= MAX_KEPT_SLOTS ? slots : undefined;
  return slots;
}

/** Brings what is known about a name's pairs up to date: new ones are ahead of old ones. */
function lookAtPairs(table: SeriesTable, name: string, known: Known): void {
  if (known.removals !== table.removals) {
    Object.assign(known, { removals: table.removals, newest: 0, pairs: [], total: -1, slots: undefined });
  }
  if (known.literals) {
    const found = known.literals.map((literal) => table.findPair(name, literal)).filter((pair) => pair !== 0);
    if (found.length !== known.pairs.length) Object.assign(known, { pairs: found, slots: undefined });
    return;
  }
  const address = table.findName(name);
  if (address === 0) return;
  let newest = 0;
  for (const pair of table.pairsOf(address)) {
    if (pair === known.newest) break;
    newest ||= pair;
    if (!known.isTaken(table.valueOf(pair))) continue;
    known.pairs.push(pair);
    known.slots = undefined;
  }
  if (newest !== 0) known.newest = newest;
}

function allSlots(table: SeriesTable): Uint32Array {
  const { slots, series } = table.counts();
  const all = new Uint32Array(series);
  let count = 0;
  for (let slot = 0; slot < slots; slot++) if (table.isAlive(slot)) all[count++] = slot;
  return all.subarray(0, count);
}

/** A series has one value per name, so the lists are disjoint. */
function union(table: SeriesTable, pairs: readonly number[], total: number): Uint32Array {
  const slots = new Uint32Array(total);
  let at = 0;
  for (const pair of pairs) {
    const list = table.postings(pair);
    slots.set(list, at);
    at += list.length;
  }
  // Lists are shorter than told while series are being removed.
  return slots.subarray(0, at).sort();
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
