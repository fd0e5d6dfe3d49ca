// From pairs as senders write them to labels as the store wants them: sorted, unique, without empty values, valid UTF-8.

import { compareText, type Labels, METRIC_NAME } from '#model/labels.ts';

/** `error` is empty, or says what is wrong with the labels in the words of Prometheus' receiver. */
export type CheckedLabels = { readonly labels: Labels; readonly error: string };

/** Labels of a series: as `sortedLabels`, and there must be a metric name. */
export function seriesLabels(pairs: readonly string[]): CheckedLabels {
  const checked = sortedLabels(pairs);
  if (checked.error !== '') return checked;
  for (let i = 0; i < checked.labels.length; i += 2) if (checked.labels[i] === METRIC_NAME) return checked;
  return { ...checked, error: `invalid metric name or labels, got ${formatPairs(checked.labels)}` };
}

export function sortedLabels(pairs: readonly string[]): CheckedLabels {
  let clean = true;
  for (let i = 0; i < pairs.length && clean; i += 2) {
    clean = pairs[i + 1] !== '' && pairs[i] !== '' && (i === 0 || compareText(pairs[i - 2]!, pairs[i]!) < 0);
  }
  const labels = clean ? pairs : sortPairs(pairs);
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i] === '' || !labels[i]!.isWellFormed() || !labels[i + 1]!.isWellFormed()) {
      return { labels, error: `invalid metric name or labels, got ${formatPairs(labels)}` };
    }
    if (i > 0 && labels[i] === labels[i - 2]) {
      return {
        labels,
        error: `invalid labels for series, labels ${formatPairs(labels)}, duplicated label ${labels[i]}`,
      };
    }
  }
  return { labels, error: '' };
}

function sortPairs(pairs: readonly string[]): string[] {
  const order: number[] = [];
  for (let i = 0; i < pairs.length; i += 2) if (pairs[i + 1] !== '') order.push(i);
  order.sort((a, b) => compareText(pairs[a]!, pairs[b]!));
  return order.flatMap((i) => [pairs[i]!, pairs[i + 1]!]);
}

const MAX_SHOWN = 1000;

/** As Prometheus prints label sets in its messages: `{a="b", c="d"}`; long ones only begin. */
export function formatPairs(labels: Labels): string {
  let text = '';
  for (let i = 0; i < labels.length; i += 2) {
    const value = labels[i + 1]!;
    const shown = JSON.stringify(value.length > MAX_SHOWN ? value.slice(0, MAX_SHOWN) : value);
    text += `${i > 0 ? ', ' : ''}${labels[i]!.slice(0, MAX_SHOWN)}=${shown}`;
    if (text.length > MAX_SHOWN) return `{${text.slice(0, MAX_SHOWN - 1)}...`;
  }
  return `{${text}}`;
}
