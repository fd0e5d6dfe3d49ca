// The hint that a rate may be taken of something that is no counter: by its name, or by its type where labels say it.

import { type Labels, labelValue } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import type { Notes } from '../execute/annotations.ts';
import { FLOAT } from '../execute/vector.ts';

export const TYPE_LABELS = 'type-and-unit-labels';
const COUNTER_NAME = /(_total|_sum|_count|_bucket)$/;

/** Looks at a row that rate or increase has just filled. */
export function noteCounterName(
  func: string,
  labels: Labels,
  kinds: Uint8Array,
  at: number,
  steps: number,
  features: ReadonlySet<string>,
  notes: Notes,
): void {
  if (func !== 'rate' && func !== 'increase') return;
  const name = labelValue(labels, '__name__');
  if (name === '') return;
  const byType = features.has(TYPE_LABELS);
  const type = byType ? labelValue(labels, '__type__') : '';
  if (byType ? type === 'counter' || type === 'histogram' : COUNTER_NAME.test(name)) return;
  for (let i = at; i < at + steps; i++) {
    if (kinds[i] !== FLOAT) continue;
    notes.add(byType ? `possible_non_counter_label/${type}` : 'possible_non_counter', name);
    return;
  }
}

/** Whether a selector takes series of one counter only, by its name. */
export const namesCounters = (matchers: readonly Matcher[]): boolean =>
  matchers.some(({ type, name, value }) => type === '=' && name === '__name__' && COUNTER_NAME.test(value));
