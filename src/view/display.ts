// How one value of a field is shown: mapped text, number with unit, colour by threshold or scale; and which options a
// field has after all overrides. Portable; colours stay names, the browser turns them into its own.

import { CALCULATIONS, calculationOf } from './calculate.ts';
import { type Field, type Frame, fieldName } from './frame.ts';
import type { FieldMatch, FieldOptions, Mapping, MappingResult, Override, Text, Thresholds } from './model.ts';
import { formatValue } from './units.ts';

export type Shown = {
  readonly text: string;
  readonly suffix: string;
  readonly color: string | undefined;
  readonly mapped?: Text;
};

const DEFAULT_STEPS: Thresholds = {
  mode: 'absolute',
  steps: [
    { value: null, color: 'green' },
    { value: 80, color: 'red' },
  ],
};

/** The frames with each field's options complete: the panel's, then every override that matches. */
export function applyOptions(
  frames: readonly Frame[],
  base: FieldOptions | undefined,
  overrides: readonly Override[] | undefined,
): Frame[] {
  return frames.map((frame) => ({
    ...frame,
    fields: frame.fields.map((field) => {
      let options: FieldOptions = { ...base, ...field.options };
      for (const { match, set } of overrides ?? []) {
        if (matches(match, { ...field, options }, frame)) options = merge(options, set);
      }
      return { ...field, options };
    }),
  }));
}

const merge = (base: FieldOptions, set: FieldOptions): FieldOptions => ({
  ...base,
  ...set,
  ...(base.draw || set.draw ? { draw: { ...base.draw, ...set.draw } } : {}),
});

export function matches(match: FieldMatch, field: Field, frame: Frame): boolean {
  switch (match.by) {
    case 'name':
      return match.value === field.name || match.value === fieldName(field, frame);
    case 'regex':
      return matcherOf(match.value).test(fieldName(field, frame)) || matcherOf(match.value).test(field.name);
    case 'type':
      return match.value === field.kind;
    case 'query':
      return match.value === frame.ref;
    case 'value':
      return fulfils(match.value, field);
  }
}

/** `max > 10`, of the field's own values. */
function fulfils(condition: string, field: Field): boolean {
  const [, calculation = '', operator, wanted] = /^(\w+) (==|!=|<=?|>=?) (\S+)$/.exec(condition) ?? [];
  const calc = calculationOf(calculation);
  const value = calc && CALCULATIONS[calc](field.values.map((one) => (typeof one === 'number' ? one : null)));
  if (value === null || value === undefined) return false;
  const than = Number(wanted);
  switch (operator) {
    case '==':
      return value === than;
    case '!=':
      return value !== than;
    case '<':
      return value < than;
    case '<=':
      return value <= than;
    case '>':
      return value > than;
    default:
      return value >= than;
  }
}

/** `/pattern/flags` or a plain pattern; one that cannot be read matches nothing. */
export function matcherOf(text: string): RegExp {
  const slashed = /^\/(.*)\/([gimsuy]*)$/s.exec(text);
  try {
    return new RegExp(slashed ? slashed[1]! : text, slashed ? slashed[2]!.replace('g', '') : '');
  } catch {
    return /(?!)/;
  }
}

function mapValue(mappings: readonly Mapping[] | undefined, value: unknown): MappingResult | undefined {
  for (const mapping of mappings ?? []) {
    switch (mapping.kind) {
      case 'value': {
        const found = mapping.values[String(value)];
        if (found) return found;
        break;
      }
      case 'range': {
        const number = Number(value);
        if (
          value !== null &&
          (mapping.from === null || number >= mapping.from) &&
          (mapping.to === null || number <= mapping.to)
        )
          return mapping.result;
        break;
      }
      case 'regex':
        if (value !== null && matcherOf(mapping.pattern).test(String(value))) return mapping.result;
        break;
      case 'special': {
        const is: Record<string, boolean> = {
          null: value === null || value === undefined,
          nan: Number.isNaN(value),
          'null+nan': value === null || value === undefined || Number.isNaN(value),
          true: value === true,
          false: value === false,
          empty: value === '',
        };
        if (is[mapping.match]) return mapping.result;
        break;
      }
    }
  }
  return undefined;
}

/** Where a value lies between the field's bounds, 0 to 1. */
export function shareOf(value: number, options: FieldOptions, low: number, high: number): number {
  const [min, max] = [options.min ?? Math.min(0, low), options.max ?? high];
  return max <= min ? 0 : Math.min(1, Math.max(0, (value - min) / (max - min)));
}

export function thresholdColor(value: number, options: FieldOptions, low = 0, high = 100): string | undefined {
  const { mode, steps } = options.thresholds ?? DEFAULT_STEPS;
  const compared = mode === 'percent' ? 100 * shareOf(value, options, low, high) : value;
  let color: string | undefined;
  for (const step of [...steps].sort((a, b) => (a.value ?? -Infinity) - (b.value ?? -Infinity))) {
    if (compared >= (step.value ?? -Infinity)) color = step.color;
  }
  return color ?? steps[0]?.color;
}

/** A cell as text with colour. `low` and `high` are the field's own extremes, for percent thresholds. */
export function showValue(
  value: unknown,
  options: FieldOptions = {},
  extremes?: { low: number; high: number; nowMs?: number },
): Shown {
  const mapped = mapValue(options.mappings, value);
  const number = typeof value === 'number' ? value : Number.NaN;
  const byThreshold =
    options.color?.mode === 'fixed'
      ? options.color.fixed
      : typeof value === 'number' && !Number.isNaN(value)
        ? thresholdColor(number, options, extremes?.low, extremes?.high)
        : undefined;
  const color = mapped?.color ?? byThreshold;
  if (mapped?.text !== undefined)
    return {
      text: typeof mapped.text === 'string' ? mapped.text : mapped.text.en,
      suffix: '',
      color,
      mapped: mapped.text,
    };
  if (
    value === null ||
    value === undefined ||
    (typeof value === 'number' && Number.isNaN(value) && options.noValue !== undefined)
  ) {
    const none = options.noValue ?? '–';
    return { text: typeof none === 'string' ? none : none.en, suffix: '', color, mapped: none };
  }
  if (typeof value === 'number') {
    const formatted = formatValue(value, options.unit ?? 'short', {
      decimals: options.decimals,
      ...(extremes?.nowMs === undefined ? {} : { nowMs: extremes.nowMs }),
    });
    return { ...formatted, color };
  }
  return { text: typeof value === 'object' ? JSON.stringify(value) : String(value), suffix: '', color };
}
