// Functions that look at labels only: label_replace, label_join, the labels of absent(), and the orders of sort_by_label.

import { UserError } from '#base/errors.ts';
import { compileRegex, type Regex } from '#base/regex/regex.ts';
import { compareLabels, type Labels, labelValue, withLabel } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import { executionError } from '../execute/errors.ts';
import type { Pace } from '../execute/pace.ts';
import { mergeSame, relabeled, type Vector } from '../execute/vector.ts';
import { isValidLabelName } from '../parse/quote.ts';

export async function labelReplace(
  vector: Vector,
  to: string,
  replacement: string,
  from: string,
  pattern: string,
  pace: Pace,
): Promise<Vector> {
  let regex: Regex;
  try {
    regex = compileRegex(pattern);
  } catch (error) {
    if (error instanceof UserError) {
      throw executionError(`invalid regular expression in label_replace(): ${pattern}`);
    }
    throw error;
  }
  if (!isValidLabelName(to)) throw executionError(`invalid destination label name in label_replace(): ${to}`);
  const dropName = vector.dropName.slice();
  const { groupNames } = regex;
  const labels: Labels[] = [];
  for (const [row, set] of vector.labels.entries()) {
    const match = regex.match(labelValue(set, from));
    if (match && to === '__name__') dropName[row] = 0;
    labels.push(match ? withLabel(set, to, expand(replacement, match, groupNames)) : set);
    if (pace.did(200)) await pace.giveWay();
  }
  return mergeSame(relabeled(vector, labels, dropName));
}

/** Go's Regexp.Expand: $1, ${1}, $name, ${name}; $$ is a dollar; unknown groups are empty. */
export function expand(
  template: string,
  groups: readonly (string | undefined)[],
  names: Readonly<Record<string, number>>,
): string {
  return template.replace(/\$(?:\$|\{(\w+)\}|(\w+))/g, (all, braced?: string, bare?: string) => {
    if (all === '$$') return '$';
    const name = braced ?? bare!;
    const number = /^\d+$/.test(name) ? Number(name) : names[name];
    return number === undefined ? '' : (groups[number] ?? '');
  });
}

export function labelJoin(vector: Vector, to: string, separator: string, from: readonly string[]): Vector {
  for (const name of from) {
    if (!isValidLabelName(name)) throw executionError(`invalid source label name in label_join(): ${name}`);
  }
  if (!isValidLabelName(to)) throw executionError(`invalid destination label name in label_join(): ${to}`);
  const labels = vector.labels.map((set) =>
    withLabel(set, to, from.map((name) => labelValue(set, name)).join(separator)),
  );
  const dropName = to === '__name__' ? new Uint8Array(labels.length) : vector.dropName;
  return mergeSame(relabeled(vector, labels, dropName));
}

/** What is known of series that are not there: labels that are asked for by exactly one equality. */
export function absentLabels(matchers: readonly Matcher[]): Labels {
  let labels: Labels = [];
  const seen = new Set<string>();
  for (const { type, name, value } of matchers) {
    if (name === '__name__') continue;
    const only = type === '=' && !seen.has(name);
    labels = withLabel(labels, name, only ? value : '');
    if (only) seen.add(name);
  }
  return labels;
}

/** Rows in the order of the given labels' values, numbers in them compared as numbers. */
export function byLabels(vector: Vector, names: readonly string[], descending: boolean): number[] {
  const sign = descending ? -1 : 1;
  return [...vector.labels.keys()].sort((a, b) => {
    for (const name of names) {
      const order = naturalOrder(labelValue(vector.labels[a]!, name), labelValue(vector.labels[b]!, name));
      if (order !== 0) return sign * order;
    }
    return sign * compareLabels(vector.labels[a]!, vector.labels[b]!);
  });
}

/** Text and runs of digits in turn. */
export function naturalOrder(a: string, b: string): number {
  if (a === b) return 0;
  const parts = (text: string) => text.match(/\d+|\D+/g) ?? [];
  const [left, right] = [parts(a), parts(b)];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const [x, y] = [left[i]!, right[i]!];
    if (x === y) continue;
    const numbers = /^\d/.test(x) && /^\d/.test(y);
    if (numbers && BigInt(x) !== BigInt(y)) return BigInt(x) < BigInt(y) ? -1 : 1;
    if (numbers) return x.length - y.length;
    return x < y ? -1 : 1;
  }
  return left.length - right.length;
}
