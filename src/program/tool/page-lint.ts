// What is inconsistent about the metrics of a page, by the conventions of Prometheus' own linter and in its words.

import type { ParsedFamily } from '#wire/families/types.ts';

export type PageProblem = { readonly metric: string; readonly text: string };

/** Units and what they are to be given in. */
const BASE_UNITS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    'amperes bytes celsius grams joules kelvin meters metres moles seconds volts'
      .split(' ')
      .map((unit) => [unit, unit]),
  ),
  ...{ minutes: 'seconds', hours: 'seconds', days: 'seconds', weeks: 'seconds' },
  ...{ kelvins: 'kelvin', fahrenheit: 'celsius', rankine: 'celsius' },
  ...{ inches: 'meters', yards: 'meters', miles: 'meters' },
  ...{ bits: 'bytes', calories: 'joules', pounds: 'grams', ounces: 'grams' },
};
const UNIT_PREFIXES =
  'pico nano micro milli centi deci deca hecto kilo kibi mega mibi giga gibi tera tebi peta pebi'.split(' ');
const ABBREVIATIONS = 's ms us ns sec b kb mb gb tb pb m h d'.split(' ');

type Check = (family: ParsedFamily) => Iterable<string>;

/** Whether a word stands in a name behind an underscore, inside or at the end. */
const hasWord = (name: string, word: string): boolean => name.includes(`_${word}_`) || name.endsWith(`_${word}`);
const labelNames = ({ metrics }: ParsedFamily): string[] =>
  metrics.flatMap(({ labels }) => labels.filter((_, index) => index % 2 === 0));
const isCamelCase = (name: string): boolean => /[a-z][A-Z]/.test(name);

const CHECKS: readonly Check[] = [
  function* helpText({ help }) {
    if (help === '') yield 'no help text';
  },
  function* baseUnit({ name }) {
    const found = unitOf(name);
    if (found && found.unit !== found.base) yield `use base unit "${found.base}" instead of "${found.unit}"`;
  },
  function* total({ name, type }) {
    const isTotal = name.endsWith('_total');
    if (type === 'counter' && !isTotal) yield 'counter metrics should have "_total" suffix';
    if (type !== 'counter' && type !== 'untyped' && isTotal)
      yield 'non-counter metrics should not have "_total" suffix';
  },
  function* reservedSuffixes(family) {
    const { name, type } = family;
    if (type === 'untyped') return;
    const isWhole = type === 'histogram' || type === 'summary';
    if (type !== 'histogram' && name.endsWith('_bucket'))
      yield 'non-histogram metrics should not have "_bucket" suffix';
    for (const suffix of ['_count', '_sum'])
      if (!isWhole && name.endsWith(suffix))
        yield `non-histogram and non-summary metrics should not have "${suffix}" suffix`;
    for (const label of labelNames(family)) {
      if (type !== 'histogram' && label === 'le') yield 'non-histogram metrics should not have "le" label';
      if (type !== 'summary' && label === 'quantile') yield 'non-summary metrics should not have "quantile" label';
    }
  },
  function* typeInName({ name, type }) {
    if (type !== 'untyped' && hasWord(name.toLowerCase(), type)) yield `metric name should not include type '${type}'`;
  },
  function* colons({ name }) {
    if (name.includes(':')) yield "metric names should not contain ':'";
  },
  function* camelCase(family) {
    if (isCamelCase(family.name)) yield "metric names should be written in 'snake_case' not 'camelCase'";
    for (const label of labelNames(family))
      if (isCamelCase(label)) yield "label names should be written in 'snake_case' not 'camelCase'";
  },
  function* abbreviations({ name }) {
    const lower = name.toLowerCase();
    for (const unit of ABBREVIATIONS)
      if (hasWord(lower, unit)) yield 'metric names should not contain abbreviated units';
  },
  function* duplicates({ metrics }) {
    const seen = new Set<string>();
    for (const { labels } of metrics) {
      const key = labels.join('\xff');
      if (seen.has(key)) yield 'metric not unique';
      seen.add(key);
    }
  },
];

/** Sorted by metric, then by text. */
export function lintPage(families: readonly ParsedFamily[]): PageProblem[] {
  const problems = families.flatMap((family) =>
    CHECKS.flatMap((check) => [...check(family)]).map((text) => ({ metric: family.name, text })),
  );
  const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return problems.sort((a, b) => compare(a.metric, b.metric) || compare(a.text, b.text));
}

function unitOf(name: string): { readonly unit: string; readonly base: string } | undefined {
  for (const part of name.split('_')) {
    const plain = UNIT_PREFIXES.find((prefix) => part.startsWith(prefix) && part.slice(prefix.length) in BASE_UNITS);
    const base = BASE_UNITS[part] ?? (plain === undefined ? undefined : BASE_UNITS[part.slice(plain.length)]);
    if (base !== undefined) return { unit: part, base };
  }
  return undefined;
}
