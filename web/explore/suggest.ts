// Which query fits a metric: by its type, with the label filters and the split that were picked.

import type { TextKey } from '../base/text.ts';

export type MetricKind =
  | 'counter'
  | 'gauge'
  | 'histogram'
  | 'gaugehistogram'
  | 'summary'
  | 'info'
  | 'stateset'
  | 'unknown';
export type Suggestion = {
  readonly title: TextKey;
  readonly query: string;
  readonly why: TextKey;
  readonly unit: string;
};

type Metric = { readonly name: string; readonly type: MetricKind; readonly unit: string; readonly native: boolean };

function unitOf(name: string, declared: string): string {
  const base =
    declared ||
    (/_(seconds|bytes|ratio|celsius|volts|amperes|joules|hertz)(_total|_bucket|_sum)?$/.exec(name)?.[1] ?? '');
  const known: Record<string, string> = {
    seconds: 's',
    bytes: 'bytes',
    ratio: 'percentunit',
    celsius: 'celsius',
    volts: 'volt',
    amperes: 'amp',
    joules: 'joule',
    hertz: 'hertz',
  };
  return known[base] ?? 'short';
}

const rateUnit = (unit: string): string => ({ bytes: 'binBps', s: 'percentunit' })[unit] ?? 'short';

export function suggest(metric: Metric, where: Readonly<Record<string, string>>, by: string | undefined): Suggestion[] {
  const pairs = Object.entries(where).map(([name, value]) => `${quoteName(name)}=${JSON.stringify(value)}`);
  const select = (suffix = '') => selector(metric.name + suffix, pairs);
  const group = by ? ` by (${quoteName(by)})` : '';
  const unit = unitOf(metric.name, metric.unit);
  switch (metric.type) {
    case 'counter':
      return [
        {
          title: 'Rate per second',
          query: `sum${group} (rate(${select()}[5m]))`,
          unit: rateUnit(unit),
          why: 'A counter only rises; how fast it rises is what matters, so its rate per second is shown.',
        },
        {
          title: 'Increase per hour',
          query: `sum${group} (increase(${select()}[1h]))`,
          unit,
          why: 'How much the counter rose within the last hour, at each moment.',
        },
      ];
    case 'histogram': {
      const le = metric.native ? '' : 'le';
      const labels = [le, by && quoteName(by)].filter(Boolean).join(', ');
      const buckets = `sum${labels ? ` by (${labels})` : ''} (rate(${select(metric.native ? '' : '_bucket')}[5m]))`;
      const quantile = (q: number) => `histogram_quantile(${q}, ${buckets})`;
      const count = metric.native
        ? `histogram_count(sum${group} (rate(${select()}[5m])))`
        : `sum${group} (rate(${select('_count')}[5m]))`;
      const mean = metric.native
        ? `histogram_avg(sum${group} (rate(${select()}[5m])))`
        : `sum${group} (rate(${select('_sum')}[5m])) / sum${group} (rate(${select('_count')}[5m]))`;
      return [
        {
          title: '95th percentile',
          query: quantile(0.95),
          unit,
          why: 'A histogram counts observations by size; nineteen of twenty were below this value.',
        },
        { title: 'Median', query: quantile(0.5), unit, why: 'Half of the observations were below this value.' },
        { title: 'Average', query: mean, unit, why: 'The sum of the observed values by their number.' },
        { title: 'Rate per second', query: count, unit: 'short', why: 'How many observations there were per second.' },
      ];
    }
    case 'summary':
      return [
        {
          title: 'Quantiles',
          query: by ? `max${group} (${select()})` : `avg by (quantile) (${select()})`,
          unit,
          why: 'A summary comes with quantiles calculated by the program itself; they can be compared but not added up.',
        },
        {
          title: 'Average',
          query: `sum${group} (rate(${select('_sum')}[5m])) / sum${group} (rate(${select('_count')}[5m]))`,
          unit,
          why: 'The sum of the observed values by their number.',
        },
        {
          title: 'Rate per second',
          query: `sum${group} (rate(${select('_count')}[5m]))`,
          unit: 'short',
          why: 'How many observations there were per second.',
        },
      ];
    case 'info':
    case 'stateset':
      return [
        {
          title: 'Series',
          query: by ? `count${group} (${select()})` : select(),
          unit: 'short',
          why: 'Its labels carry the information; the value is 1.',
        },
      ];
    default:
      return [
        {
          title: 'Value',
          query: by ? `avg${group} (${select()})` : select(),
          unit,
          why: 'A gauge goes up and down; its value is shown as it is.',
        },
        { title: 'Sum', query: `sum${group} (${select()})`, unit, why: 'The values of all series added up.' },
        { title: 'Highest', query: `max${group} (${select()})`, unit, why: 'The highest value of all series.' },
      ];
  }
}

const isPlain = (name: string) => /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name);
const quoteName = (name: string) => (isPlain(name) ? name : JSON.stringify(name));

function selector(name: string, pairs: readonly string[]): string {
  if (/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)) return pairs.length > 0 ? `${name}{${pairs.join(', ')}}` : name;
  return `{${[JSON.stringify(name), ...pairs].join(', ')}}`;
}
