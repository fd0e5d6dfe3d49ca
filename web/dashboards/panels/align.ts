// Frames of series brought to one column of times, as charts need them, with each series' colour and look.

import { CALCULATIONS } from '../../../src/view/calculate.ts';
import { thresholdColor } from '../../../src/view/display.ts';
import { type Field, type Frame, fieldName, timeField } from '../../../src/view/frame.ts';
import type { FieldOptions } from '../../../src/view/model.ts';
import { namedColor, seriesColor } from '../../chart/palette.ts';

export type Series = {
  readonly key: string;
  readonly name: string;
  readonly field: Field;
  readonly options: FieldOptions;
  readonly color: string;
  readonly values: readonly (number | null)[];
};
export type Aligned = { readonly times: readonly number[]; readonly series: readonly Series[] };

const asNumbers = (values: Field['values']): readonly (number | null)[] =>
  values.map((value) =>
    typeof value === 'number' && !Number.isNaN(value) ? value : typeof value === 'boolean' ? Number(value) : null,
  );

export function alignSeries(frames: readonly Frame[], dark: boolean): Aligned {
  const found = frames.flatMap((frame) => {
    const time = timeField(frame);
    if (!time) return [];
    return frame.fields
      .filter((field) => field.kind === 'number' || field.kind === 'boolean')
      .map((field) => ({ frame, time, field }));
  });
  const first = found[0]?.time.values;
  const same = found.every(
    ({ time }) =>
      time.values === first ||
      (time.values.length === first?.length && time.values[0] === first[0] && time.values.at(-1) === first.at(-1)),
  );
  const times = same
    ? ((first ?? []) as number[])
    : [...new Set(found.flatMap(({ time }) => time.values as number[]))].sort((a, b) => a - b);
  const place = same ? undefined : new Map(times.map((time, index) => [time, index]));
  const used = new Map<string, number>();
  return {
    times: times.map((ms) => ms / 1000),
    series: found.map(({ frame, time, field }, index): Series => {
      const options = field.options ?? {};
      let values = asNumbers(field.values);
      if (place) {
        const spread: (number | null)[] = new Array(times.length).fill(null);
        values.forEach((value, row) => {
          spread[place.get(time.values[row] as number)!] = value;
        });
        values = spread;
      }
      if (options.draw?.negative) values = values.map((value) => (value === null ? null : -value));
      const name = fieldName(field, frame);
      const count = used.get(name) ?? 0;
      used.set(name, count + 1);
      return {
        key: count === 0 ? name : `${name} ${count}`,
        name,
        field,
        options,
        color: colorOf(options, index, values, dark),
        values,
      };
    }),
  };
}

export function colorOf(
  options: FieldOptions,
  index: number,
  values: readonly (number | null)[],
  dark: boolean,
): string {
  if (options.color?.mode === 'fixed' && options.color.fixed) return namedColor(options.color.fixed, dark)!;
  if (options.color?.mode === 'thresholds') {
    const last = CALCULATIONS.lastNotNull(values);
    if (last !== null) return namedColor(thresholdColor(last, options), dark) ?? seriesColor(index, dark);
  }
  return seriesColor(index, dark);
}
