// Two sorted lists of distinct texts as one.

import { compareText } from '#model/labels.ts';

export function mergeSorted(a: readonly string[], b: readonly string[]): readonly string[] {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const merged: string[] = [];
  for (let i = 0, k = 0; i < a.length || k < b.length; ) {
    const order = i === a.length ? 1 : k === b.length ? -1 : compareText(a[i]!, b[k]!);
    merged.push(order <= 0 ? a[i]! : b[k]!);
    if (order <= 0) i++;
    if (order >= 0) k++;
  }
  return merged;
}
