// OpenTelemetry's names as Prometheus' names: the four translation strategies for metrics, labels and units.

import type { OtlpMetric } from '#wire/otlp/model.ts';

export const TRANSLATION_STRATEGIES = [
  'UnderscoreEscapingWithSuffixes',
  'UnderscoreEscapingWithoutSuffixes',
  'NoUTF8EscapingWithSuffixes',
  'NoTranslation',
] as const;
export type TranslationStrategy = (typeof TRANSLATION_STRATEGIES)[number];

export const escapes = (strategy: TranslationStrategy): boolean => strategy.startsWith('UnderscoreEscaping');
export const addsSuffixes = (strategy: TranslationStrategy): boolean => strategy.endsWith('WithSuffixes');

/** Units of UCUM as Prometheus spells them. */
const UNITS: Readonly<Record<string, string>> = {
  d: 'days',
  h: 'hours',
  min: 'minutes',
  s: 'seconds',
  ms: 'milliseconds',
  us: 'microseconds',
  ns: 'nanoseconds',
  By: 'bytes',
  KiBy: 'kibibytes',
  MiBy: 'mebibytes',
  GiBy: 'gibibytes',
  TiBy: 'tibibytes',
  KBy: 'kilobytes',
  MBy: 'megabytes',
  GBy: 'gigabytes',
  TBy: 'terabytes',
  m: 'meters',
  V: 'volts',
  A: 'amperes',
  J: 'joules',
  W: 'watts',
  g: 'grams',
  Cel: 'celsius',
  Hz: 'hertz',
  '1': '',
  '%': 'percent',
};
const PER_UNITS: Readonly<Record<string, string>> = {
  s: 'second',
  m: 'minute',
  h: 'hour',
  d: 'day',
  w: 'week',
  mo: 'month',
  y: 'year',
};

const own = (table: Readonly<Record<string, string>>, key: string): string =>
  Object.hasOwn(table, key) ? table[key]! : key;

/** "By/s" -> bytes, per_second. Annotations in braces are no units. */
function unitSuffixes(unit: string): { main: string; per: string } {
  const slash = unit.indexOf('/');
  const first = (slash < 0 ? unit : unit.slice(0, slash)).trim();
  const second = slash < 0 ? '' : unit.slice(slash + 1).trim();
  const main = first === '' || /[{}]/.test(first) ? '' : own(UNITS, first);
  const per = second === '' || /[{}]/.test(second) ? '' : own(PER_UNITS, second);
  return { main, per: per === '' ? '' : `per_${per}` };
}

const cleanUnit = (unit: string): string =>
  unit
    .replace(/[^a-zA-Z0-9:]/gu, '_')
    .replace(/_+/g, '_')
    .replace(/^_/, '');

export function unitName(unit: string, utf8: boolean): string {
  const { main, per } = unitSuffixes(unit);
  const clean = utf8 ? (text: string) => text : cleanUnit;
  return [clean(main), clean(per)]
    .filter((part) => part !== '')
    .join('_')
    .replace(/^_/, '')
    .replace(/_$/, '');
}

/** Throws with the reason when nothing is left of the name. */
export function metricName(metric: OtlpMetric, strategy: TranslationStrategy): string {
  if (!escapes(strategy)) return addsSuffixes(strategy) ? suffixed(metric) : metric.name;
  const name = addsSuffixes(strategy) ? normalized(metric) : escaped(metric.name);
  if (name === '') throw new Error(`normalization for metric ${JSON.stringify(metric.name)} resulted in empty name`);
  if (name !== metric.name && /^_+$/.test(name)) {
    throw new Error(
      `normalization for metric ${JSON.stringify(metric.name)} resulted in invalid name ${JSON.stringify(name)}`,
    );
  }
  return name;
}

const isCounter = ({ data }: OtlpMetric): boolean => data.kind === 'sum' && data.monotonic;
const isRatio = ({ data, unit }: OtlpMetric): boolean => data.kind === 'gauge' && unit === '1';

function escaped(name: string): string {
  const joined = name
    .split(/[^a-zA-Z0-9:_]+/u)
    .filter((part) => part !== '')
    .join('_');
  return /^\d/.test(joined) ? `_${joined}` : joined;
}

function normalized(metric: OtlpMetric): string {
  let tokens = metric.name.split(/[^a-zA-Z0-9:]+/u).filter((part) => part !== '');
  const suffixes = unitSuffixes(metric.unit);
  let main = cleanUnit(suffixes.main);
  let per = cleanUnit(suffixes.per);
  if (tokens.includes(main)) main = '';
  if (per === 'per_') per = '';
  else {
    per = per.replace(/_$/, '');
    if (tokens.includes(per)) per = '';
  }
  if (per !== '') main = main.replace(/_$/, '');
  tokens.push(...[main, per].filter((part) => part !== ''));
  const last = (word: string) => {
    tokens = [...tokens.filter((token) => token !== word), word];
  };
  if (isCounter(metric)) last('total');
  if (isRatio(metric)) last('ratio');
  const name = tokens.join('_');
  return /^\d/.test(name) ? `_${name}` : name;
}

/** With suffixes but otherwise untouched. */
function suffixed(metric: OtlpMetric): string {
  let name = metric.name;
  let ending = '';
  const move = (suffix: string) => {
    if (name.endsWith(suffix) && name.length > suffix.length + 1) name = name.slice(0, -suffix.length - 1);
    ending = `_${suffix}${ending}`;
  };
  if (isRatio(metric)) move('ratio');
  if (isCounter(metric)) move('total');
  const { main, per } = unitSuffixes(metric.unit);
  if (per !== '') move(per);
  if (main !== '' && !name.endsWith(main)) name += `_${main}`;
  return name + ending;
}

export type LabelNaming = {
  readonly utf8: boolean;
  /** `_a` becomes `key_a`. */
  readonly prefixUnderscore: boolean;
  readonly keepUnderscores: boolean;
};

/** Throws with the reason when nothing is left of the name. */
export function labelName(label: string, naming: LabelNaming): string {
  if (label === '') throw new Error('label name is empty');
  if (naming.utf8) {
    if (/^_+$/.test(label)) throw new Error(`label name ${JSON.stringify(label)} contains only underscores`);
    return label;
  }
  let name: string;
  if (naming.keepUnderscores) name = label.replace(/[^a-zA-Z0-9]/gu, '_');
  else {
    const reserved = label.length >= 4 && label.startsWith('__') && label.endsWith('__');
    const inner = (reserved ? label.slice(2, -2) : label).replace(/[^a-zA-Z0-9]+/gu, '_');
    name = reserved ? `__${inner}__` : inner;
  }
  if (/^\d/.test(name)) name = `key_${name}`;
  else if (naming.prefixUnderscore && /^_(?!_)/.test(name)) name = `key${name}`;
  if (/^_+$/.test(name)) {
    throw new Error(
      `normalization for label name ${JSON.stringify(label)} resulted in invalid name ${JSON.stringify(name)}`,
    );
  }
  return name;
}
