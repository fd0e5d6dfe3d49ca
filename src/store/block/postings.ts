// Which series of an index match: the cheapest matchers first, by postings; what would be dearer that way than to look at
// the labels of the few series left is handed back as a test of labels.

import { compileRegex } from '#base/regex/regex.ts';
import type { Labels } from '#model/labels.ts';
import { labelValue } from '#model/labels.ts';
import { compileMatcher, type Matcher } from '#model/matcher.ts';
import type { IndexReader } from './index-reader.ts';

export type Candidates = {
  /** References in label order. */
  readonly refs: Uint32Array;
  /** What the postings have not decided; undefined when they have decided all. */
  readonly test: ((labels: Labels) => boolean) | undefined;
};

const NONE = new Uint32Array(0);

/** How many values of a label are worth looking through rather than to test the labels of one series. */
const VALUES_PER_SERIES = 8;

/** A matcher with what it costs: `values` when it names them all, else a test over the label's values. */
type Step = {
  readonly name: string;
  /** Values whose postings are united. */
  readonly values: readonly string[] | undefined;
  readonly prefix: string;
  readonly test: (value: string) => boolean;
  /** The series with these values are taken out instead of kept. */
  readonly excludes: boolean;
};

export function findCandidates(index: IndexReader, matchers: readonly Matcher[]): Candidates {
  const steps = matchers.map(stepOf);
  const cost = (step: Step) =>
    (step.values ? step.values.length : 1000 + index.valueCount(step.name)) + (step.excludes ? 1e9 : 0);
  steps.sort((a, b) => cost(a) - cost(b));
  let refs: Uint32Array | undefined;
  const left: Step[] = [];
  for (const step of steps) {
    if (refs && refs.length === 0) return { refs: NONE, test: undefined };
    const looks = step.values ? step.values.length : index.valueCount(step.name);
    if (refs && looks > 1 && looks > refs.length * VALUES_PER_SERIES) {
      left.push(step);
      continue;
    }
    if (!refs && step.excludes) refs = index.allPostings;
    const found = postingsOf(index, step);
    refs = !refs ? found : step.excludes ? subtract(refs, found) : intersect(refs, found);
  }
  return { refs: refs ?? index.allPostings, test: left.length > 0 ? testOf(left) : undefined };
}

function testOf(steps: readonly Step[]): (labels: Labels) => boolean {
  return (labels) =>
    steps.every(({ name, test, excludes }) => {
      const value = labelValue(labels, name);
      return excludes ? value === '' || !test(value) : value !== '' && test(value);
    });
}

/**
 * Absent labels have the value ''. A matcher that accepts '' is worked out by taking away the series with values that it
 * does not accept.
 */
function stepOf(matcher: Matcher): Step {
  const accepts = compileMatcher(matcher);
  const excludes = accepts('');
  const test = excludes ? (value: string) => !accepts(value) : accepts;
  const { name, type, value } = matcher;
  if (type === '=' || type === '!=') {
    const named = excludes === (type === '!=');
    return { name, values: named ? [value] : undefined, prefix: '', test, excludes };
  }
  const regex = compileRegex(value);
  const named = excludes === (type === '!~');
  return {
    name,
    values: named ? regex.literals?.filter((literal) => literal !== '') : undefined,
    prefix: named ? regex.prefix : '',
    test,
    excludes,
  };
}

function postingsOf(index: IndexReader, step: Step): Uint32Array {
  const lists: Uint32Array[] = [];
  if (step.values) {
    for (const value of step.values) {
      const offset = index.find(step.name, value);
      if (offset !== undefined) lists.push(index.postingsAt(offset));
    }
  } else {
    for (const { value, offset } of index.values(step.name, step.prefix)) {
      if (!value.startsWith(step.prefix)) break;
      if (step.test(value)) lists.push(index.postingsAt(offset));
    }
  }
  return unite(lists);
}

/** Lists of one label have nothing in common: a series has one value. */
function unite(lists: readonly Uint32Array[]): Uint32Array {
  if (lists.length <= 1) return lists[0] ?? NONE;
  const all = new Uint32Array(lists.reduce((sum, list) => sum + list.length, 0));
  let at = 0;
  for (const list of lists) {
    all.set(list, at);
    at += list.length;
  }
  return all.sort();
}

/** The first index from `start` on whose value is not below `wanted`. */
function gallop(list: Uint32Array, start: number, wanted: number): number {
  let step = 1;
  let low = start;
  while (low + step < list.length && list[low + step]! < wanted) {
    low += step;
    step *= 2;
  }
  let high = Math.min(list.length, low + step);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle]! < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function intersect(a: Uint32Array, b: Uint32Array): Uint32Array {
  const [few, many] = a.length <= b.length ? [a, b] : [b, a];
  const both = new Uint32Array(few.length);
  let count = 0;
  let at = 0;
  for (let i = 0; i < few.length; i++) {
    at = gallop(many, at, few[i]!);
    if (at === many.length) break;
    if (many[at] === few[i]) both[count++] = few[i]!;
  }
  return both.subarray(0, count);
}

export function intersects(a: Uint32Array, b: Uint32Array): boolean {
  const [few, many] = a.length <= b.length ? [a, b] : [b, a];
  let at = 0;
  for (let i = 0; i < few.length; i++) {
    at = gallop(many, at, few[i]!);
    if (at === many.length) return false;
    if (many[at] === few[i]) return true;
  }
  return false;
}

function subtract(a: Uint32Array, b: Uint32Array): Uint32Array {
  const rest = new Uint32Array(a.length);
  let count = 0;
  let at = 0;
  for (let i = 0; i < a.length; i++) {
    at = gallop(b, at, a[i]!);
    if (at === b.length || b[at] !== a[i]) rest[count++] = a[i]!;
  }
  return rest.subarray(0, count);
}
