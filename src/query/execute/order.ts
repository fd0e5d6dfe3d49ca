// The order of rows in answers to range queries.

import { compareLabels } from '#model/labels.ts';
import { type Pace, sortPaced } from './pace.ts';
import { takeRows, type Vector } from './vector.ts';

export async function sortedByLabels(input: Vector, pace: Pace): Promise<Vector> {
  const { labels } = input;
  const order = await sortPaced([...labels.keys()], (a, b) => compareLabels(labels[a]!, labels[b]!), pace);
  return order.every((row, i) => row === i) ? input : takeRows(input, order);
}
