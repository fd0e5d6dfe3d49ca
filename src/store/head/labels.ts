// Whether a label set can be a series: names in order, each once, nothing empty. Senders are not trusted to have seen to it.

import { compareText, type Labels } from '#model/labels.ts';

/** What is wrong with a label set, if anything. */
export function labelsProblem(labels: Labels): string | undefined {
  if (!Array.isArray(labels) || labels.length === 0) return 'no labels';
  if (labels.length % 2 !== 0) return 'a label without a value';
  let before: string | undefined;
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i];
    const value = labels[i + 1];
    if (typeof name !== 'string' || typeof value !== 'string') return 'labels that are no text';
    if (name === '') return 'an empty label name';
    if (value === '') return `an empty value of label ${shorten(name)}`;
    if (before !== undefined) {
      const order = compareText(before, name);
      if (order === 0) return `label ${shorten(name)} twice`;
      if (order > 0) return `label ${shorten(name)} out of order`;
    }
    before = name;
  }
  return undefined;
}

const shorten = (text: string): string => JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}...` : text);
