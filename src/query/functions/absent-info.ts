// absent(), which answers where nothing is, and info(), which adds the labels of info series (target_info by default) to
// the series that share their identifying labels.

import { keepLabels, type Labels, labelsKey, labelValue, withLabel } from '#model/labels.ts';
import { compileMatchers, type Matcher } from '#model/matcher.ts';
import type { Fragment, Grid } from '#model/query.ts';
import { printLabels } from '../execute/binary.ts';
import { executionError } from '../execute/errors.ts';
import { ABSENT, FLOAT, HISTOGRAM, type Vector, VectorBuilder } from '../execute/vector.ts';
import { absentLabels } from './labels.ts';

export function absentRows(input: Vector, steps: number, matchers: readonly Matcher[] | undefined): Vector {
  const builder = new VectorBuilder(steps, 1);
  const present = new Uint8Array(steps);
  for (let at = 0; at < input.kinds.length; at++) if (input.kinds[at] !== ABSENT) present[at % steps] = 1;
  const row = builder.row(matchers ? absentLabels(matchers) : [], false);
  for (let step = 0; step < steps; step++) if (!present[step]) builder.float(row, step, 1);
  return builder.build();
}

/** By these an info series and the series it describes belong together. */
const IDENTIFYING = ['instance', 'job'];

type InfoPlan = {
  readonly matchers: readonly Matcher[] | undefined;
  readonly offset: number;
  readonly at?: number;
  readonly grid: Grid;
};

export type InfoWanted = {
  /** Values and timestamps of the info series; undefined when no series can have any. */
  readonly fragments: readonly [Fragment, Fragment] | undefined;
  /** Rows that are info series themselves and stay as they are. */
  readonly ignored: Uint8Array;
  /** The labels that may be added; undefined: all. */
  readonly dataMatchers: readonly Matcher[];
};

export function infoFragments(base: Vector, plan: InfoPlan, lookback: number): InfoWanted {
  const given = plan.matchers;
  const names = nameMatchers((given ?? []).filter((matcher) => matcher.name === '__name__'));
  const dataMatchers = (given ?? []).filter((matcher) => matcher.name !== '__name__');
  const isInfo = compileMatchers(names);
  const ignored = Uint8Array.from(base.labels, (labels) => (isInfo(labels) ? 1 : 0));
  const identities: Matcher[] = [];
  for (const name of IDENTIFYING) {
    const values = new Set<string>();
    base.labels.forEach((labels, row) => {
      const value = ignored[row] ? '' : labelValue(labels, name);
      if (value !== '') values.add(value);
    });
    if (values.size > 0) identities.push({ type: '=~', name, value: [...values].map(escapeRegex).join('|') });
  }
  if (identities.length === 0) return { fragments: undefined, ignored, dataMatchers };
  const fragment: Fragment = {
    matchers: [...identities, ...dataMatchers, ...names],
    grid: plan.grid,
    offset: plan.offset,
    ...(plan.at === undefined ? {} : { at: plan.at }),
    window: lookback,
    func: 'instant',
    args: [],
  };
  return { fragments: [fragment, { ...fragment, func: 'timestamp' }], ignored, dataMatchers };
}

const escapeRegex = (text: string): string => text.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');

/** Only exclusions: of everything that is named like an info metric. Nothing: target_info. */
function nameMatchers(given: readonly Matcher[]): readonly Matcher[] {
  if (given.length === 0) return [{ type: '=', name: '__name__', value: 'target_info' }];
  if (given.some(({ type }) => type === '=' || type === '=~')) return given;
  return [{ type: '=~', name: '__name__', value: '.+_info' }, ...given];
}

const identityOf = (labels: Labels): string => labelsKey(keepLabels(labels, (name) => IDENTIFYING.includes(name)));

export function joinInfo(
  base: Vector,
  info: Vector | undefined,
  times: Vector | undefined,
  wanted: InfoWanted,
): Vector {
  const { steps } = base;
  const builder = new VectorBuilder(steps, base.labels.length);
  const matchesEmpty = compileMatchers(wanted.dataMatchers)([]);
  const candidates = new Map<string, number[]>();
  info?.labels.forEach((labels, row) => {
    const key = identityOf(labels);
    candidates.set(key, [...(candidates.get(key) ?? []), row]);
  });
  for (const rows of candidates.values()) checkInfo(info!, rows);
  const dataNames = wanted.dataMatchers.length > 0 ? new Set(wanted.dataMatchers.map(({ name }) => name)) : undefined;
  const timeOf = (row: number, step: number) => times!.values[timeRow(info!, times!, row) * steps + step]!;
  for (let row = 0; row < base.labels.length; row++) {
    const labels = base.labels[row]!;
    const rows = wanted.ignored[row] ? [] : (candidates.get(identityOf(labels)) ?? []);
    for (let step = 0; step < steps; step++) {
      const at = row * steps + step;
      if (base.kinds[at] === ABSENT) continue;
      let result = labels;
      if (!wanted.ignored[row]) {
        const chosen = newestPerName(info, rows, step, timeOf);
        if (chosen.length === 0 && !matchesEmpty) continue;
        result = enriched(
          labels,
          chosen.map((i) => info!.labels[i]!),
          dataNames,
        );
      }
      const target = builder.row(result, base.dropName[row] === 1);
      if (base.kinds[at] === FLOAT) builder.float(target, step, base.values[at]!);
      else builder.histogram(target, step, base.histograms!.get(at)!);
    }
  }
  return builder.build();
}

/** Both fragments select the same series, but not always in the same order. */
function timeRow(info: Vector, times: Vector, row: number): number {
  if (times.labels[row] && labelsKey(times.labels[row]!) === labelsKey(info.labels[row]!)) return row;
  const key = labelsKey(info.labels[row]!);
  return times.labels.findIndex((labels) => labelsKey(labels) === key);
}

function checkInfo(info: Vector, rows: readonly number[]): void {
  for (const row of rows) {
    if (!info.kinds.subarray(row * info.steps, (row + 1) * info.steps).includes(HISTOGRAM)) continue;
    throw executionError(`this should be an info metric, with float samples: ${printLabels(info.labels[row]!)}`);
  }
}

/** Of the info series with the same name the one with the newest sample; two equally new ones are a conflict. */
function newestPerName(
  info: Vector | undefined,
  rows: readonly number[],
  step: number,
  timeOf: (row: number, step: number) => number,
): number[] {
  const newest = new Map<string, number>();
  for (const row of rows) {
    if (info!.kinds[row * info!.steps + step] === ABSENT) continue;
    const name = labelValue(info!.labels[row]!, '__name__');
    const other = newest.get(name);
    if (other !== undefined) {
      const [a, b] = [timeOf(other, step), timeOf(row, step)];
      if (a === b) {
        const describe = (i: number, time: number) => `${printLabels(info!.labels[i]!)} @ ${Math.round(time * 1000)}`;
        throw executionError(
          `found duplicate series for info metric: existing ${describe(other, a)}, new ${describe(row, b)}`,
        );
      }
      if (a > b) continue;
    }
    newest.set(name, row);
  }
  return [...newest.values()];
}

function enriched(base: Labels, infos: readonly Labels[], dataNames: ReadonlySet<string> | undefined): Labels {
  const own = new Set(base.filter((_, i) => i % 2 === 0));
  const added = new Map<string, string>();
  for (const labels of infos) {
    for (let i = 0; i < labels.length; i += 2) {
      const [name, value] = [labels[i]!, labels[i + 1]!];
      if (name === '__name__' || (dataNames && !dataNames.has(name))) continue;
      const before = added.get(name);
      if (before !== undefined && before !== value) throw executionError(`conflicting label: ${name}`);
      if (!own.has(name)) added.set(name, value);
    }
  }
  let result = base;
  for (const [name, value] of added) result = withLabel(result, name, value);
  return result;
}
