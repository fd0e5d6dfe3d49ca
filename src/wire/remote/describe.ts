// A request of remote write 2.0 as text, for logs: a line for each series, in the notation of selectors.

import { formatLabels } from '#model/labels.ts';
import { decodeWriteV2 } from './write-v2.ts';

const MAX_SERIES = 100;

/** At most so many series; `N more` tells of the others. */
export function describeWriteV2(bytes: Uint8Array, maxSeries = MAX_SERIES): string {
  const lines: string[] = [];
  const words = new Uint32Array(2);
  const value = new Float64Array(words.buffer);
  let series = 0;
  const add = (text: string) => {
    if (series <= maxSeries) lines[lines.length - 1] += text;
  };
  decodeWriteV2(bytes, {
    series(pairs) {
      if (++series <= maxSeries) lines.push(formatLabels(pairs));
    },
    sample(timestamp, _start, low, high) {
      words[0] = low;
      words[1] = high;
      add(` ${value[0]}@${timestamp}`);
    },
    histogram: ({ timestamp, value: { count, sum } }) => add(` histogram(count=${count}, sum=${sum})@${timestamp}`),
    exemplar: ({ value: at, timestamp }) => add(` exemplar(${at})@${timestamp}`),
    metadata() {},
    seriesMetadata: ({ type }) => add(` [${type}]`),
    invalid: (reason) => add(` (${reason})`),
  });
  if (series > maxSeries) lines.push(`${series - maxSeries} more`);
  return lines.join('; ');
}
