// `pharos tool query analyze`: how many buckets the histograms of a server really use over time, as promtool's command of the
// same name tells.

import { systemClock } from '#base/clock.ts';
import { UserError } from '#base/errors.ts';
import { formatDuration } from '#base/units.ts';
import { askServer, HTTP_FLAGS, type LabelRecord, labelsText, timeOf } from './asking.ts';
import { FAILURE, type Streams, SUCCESS, toolCommand } from './command.ts';

const HEADER = `Bucket stats for each histogram series over time
------------------------------------------------
First the min, avg, and max number of populated buckets, followed by the total
number of buckets (only if different from the max number of populated buckets
which is typical for classic but not native histograms).`;
const FOOTER = `Aggregated bucket stats
-----------------------
Each line shows min/avg/max over the series above.`;

type Bucket = readonly [boundaries: number, lower: string, upper: string, count: string];
type Series = {
  readonly metric: LabelRecord;
  readonly values?: readonly (readonly [time: number, value: string])[];
  readonly histograms?: readonly (readonly [time: number, value: { readonly buckets?: readonly Bucket[] }])[];
};

/** Of populated buckets over time; `total` counts those that were populated at any time, or all of a classic histogram. */
type Statistics = { readonly min: number; readonly avg: number; readonly max: number; readonly total: number };

export const analyze = toolCommand({
  name: 'query analyze',
  summary: 'Shows how many buckets histograms use over time',
  operands: '',
  flags: {
    ...HTTP_FLAGS,
    server: { kind: 'text', default: '', help: 'Server to query.' },
    type: { kind: 'text', default: '', help: 'Type of metric: histogram.' },
    duration: { kind: 'duration', default: 3_600_000, help: 'Time frame to analyze.' },
    time: { kind: 'text', default: '', help: 'Query time (RFC 3339 or seconds since 1970); now if not given.' },
    match: { kind: 'texts', default: [], help: 'Series selector. Can be repeated.' },
  },
  run: async (flags, _, streams) => {
    for (const name of ['server', 'type', 'match'] as const)
      if (flags[name].length === 0) throw new UserError(`required flag --${name} not provided`);
    if (flags.type !== 'histogram') {
      streams.err(`analyze type is ${flags.type}, must be 'histogram'\n`);
      return FAILURE;
    }
    const time = String(flags.time === '' ? systemClock.now() / 1000 : timeOf(flags.time, 'evaluation'));
    streams.out(`${HEADER}\n\n`);
    const found: { native: Statistics[]; classic: Statistics[] } = { native: [], classic: [] };
    for (const selector of flags.match) {
      const form = new URLSearchParams({ query: `${selector}[${formatDuration(flags.duration)}]`, time });
      const data = await askServer(flags.server, 'query', form, flags['http.config.file'], streams);
      if (data === undefined) return FAILURE;
      const { resultType, result } = data as { resultType: string; result: readonly Series[] };
      if (resultType !== 'matrix') {
        streams.err('query of buckets resulted in non-Matrix\n');
        return FAILURE;
      }
      analyzeSeries(result, found, streams);
    }
    streams.out(`\n${FOOTER}\n`);
    if (found.native.length > 0) streams.out(`\nNative ${aggregated(found.native)}\n`);
    if (found.classic.length > 0) streams.out(`\nClassic ${aggregated(found.classic)}\n`);
    return SUCCESS;
  },
});

function analyzeSeries(
  all: readonly Series[],
  found: { native: Statistics[]; classic: Statistics[] },
  streams: Streams,
): void {
  const classic = new Map<string, Series[]>();
  for (const series of all) {
    const { __name__: name = '', le, ...rest } = series.metric;
    if ((series.values ?? []).length > 0) {
      if (le === undefined || !name.endsWith('_bucket')) continue;
      const key = `${name}${labelsText(rest, false)}`;
      classic.set(key, [...(classic.get(key) ?? []), series]);
      continue;
    }
    const statistics = nativeStatistics(series);
    if (!statistics) continue;
    streams.out(`- ${labelsText(series.metric, true)} (native): ${shown(statistics)}\n`);
    found.native.push(statistics);
  }
  for (const [key, buckets] of classic) {
    const statistics = classicStatistics(buckets);
    if (!statistics) continue;
    streams.out(`- ${key} (classic): ${shown(statistics)}\n`);
    found.classic.push(statistics);
  }
}

/** Undefined when one sample or less says nothing. */
function nativeStatistics({ histograms = [] }: Series): Statistics | undefined {
  if (histograms.length < 2) return undefined;
  const overall = new Set<string>();
  const counts = histograms.map(([, { buckets = [] }]) => {
    for (const [boundaries, lower, upper] of buckets) overall.add(`${boundaries} ${lower} ${upper}`);
    return buckets.length;
  });
  return statisticsOf(counts, overall.size);
}

function classicStatistics(buckets: readonly Series[]): Statistics | undefined {
  const bound = ({ metric }: Series) => Number((metric['le'] ?? '').replace('Inf', 'Infinity'));
  const sorted = [...buckets].sort((a, b) => bound(a) - bound(b)).map(({ values = [] }) => values);
  const first = sorted[0] ?? [];
  if (first.length < 2) return undefined;
  const counts = first.map((_, at) => {
    let populated = 0;
    let before = 0;
    for (const values of sorted) {
      const value = values[at];
      // Series that begin later: what is there counts.
      if (!value) break;
      if (value[0] !== first[at]![0]) throw new UserError('matrix result is not time aligned');
      if (Math.trunc(Number(value[1]) - before) !== 0) populated++;
      before = Number(value[1]);
    }
    return populated;
  });
  return statisticsOf(counts, sorted.length);
}

const statisticsOf = (counts: readonly number[], total: number): Statistics => ({
  min: Math.min(...counts),
  avg: counts.reduce((sum, count) => sum + count, 0) / counts.length,
  max: Math.max(...counts),
  total,
});

const shown = ({ min, avg, max, total }: Statistics): string =>
  `${min}/${avg.toFixed(3)}/${max}${max === total ? '' : `/${total}`}`;

function aggregated(all: readonly Statistics[]): string {
  const over = (values: readonly number[]): string => {
    const { min, avg, max } = statisticsOf(values, 0);
    return `${min}/${avg.toFixed(3)}/${max}`;
  };
  const lines = [
    `histogram series (${all.length} in total):`,
    `- min populated: ${over(all.map(({ min }) => min))}`,
    `- avg populated: ${over(all.map(({ avg }) => Math.trunc(avg)))}`,
    `- max populated: ${over(all.map(({ max }) => max))}`,
  ];
  const [max, total] = [over(all.map((one) => one.max)), over(all.map((one) => one.total))];
  return [...lines, ...(max === total ? [] : [`- total: ${total}`])].join('\n');
}
