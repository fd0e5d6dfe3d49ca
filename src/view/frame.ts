// Tables of data between sources, transformations and panels: columns of one length with a kind, and labels where a
// column is a series. Portable.

import type { FieldOptions } from './model.ts';

export type Cell = number | string | boolean | null;
export type FieldKind = 'time' | 'number' | 'string' | 'boolean' | 'other';
export type LabelSet = Readonly<Record<string, string>>;

export type Field = {
  readonly name: string;
  readonly kind: FieldKind;
  readonly labels?: LabelSet;
  /** Times are milliseconds. */
  readonly values: readonly Cell[];
  /** What the query's legend made of it; wins over name and labels. */
  readonly legend?: string;
  readonly options?: FieldOptions;
};

export type Frame = { readonly ref: string; readonly name?: string; readonly fields: readonly Field[] };

export const frameLength = (frame: Frame): number => frame.fields[0]?.values.length ?? 0;
export const timeField = (frame: Frame): Field | undefined => frame.fields.find((field) => field.kind === 'time');
export const numberFields = (frame: Frame): Field[] => frame.fields.filter((field) => field.kind === 'number');

/** The name a person sees: the legend, else the labels that a plain value column carries, else its name. */
export function fieldName(field: Field, frame?: Frame): string {
  const given = field.options?.displayName;
  if (given !== undefined && typeof given === 'string' && given !== '') return namedBy(given, field, frame);
  if (given !== undefined && typeof given !== 'string') return given.en;
  if (field.legend !== undefined && field.legend !== '') return field.legend;
  const labels = Object.entries(field.labels ?? {}).filter(([name]) => name !== '__name__');
  const base = field.labels?.__name__ ?? (field.name === 'Value' ? '' : field.name);
  if (labels.length === 0) return base || field.name;
  return `${base}{${labels.map(([name, value]) => `${name}="${value}"`).join(', ')}}`;
}

/** `${__field.labels.x}`, `${__series.name}` and the like in display names. */
function namedBy(pattern: string, field: Field, frame?: Frame): string {
  return pattern.replace(/\$\{__(field|series)\.(\w+)(?:[.[]"?(\w+)"?\]?)?\}/g, (whole, kind, part, label) => {
    if (kind === 'field' && part === 'labels')
      return label ? (field.labels?.[label] ?? '') : Object.values(field.labels ?? {}).join(', ');
    if (part === 'name' || part === 'displayName') return kind === 'series' ? (frame?.name ?? field.name) : field.name;
    return whole;
  });
}

/** The kind of a column by its first cell that is there. */
export function kindOf(values: readonly Cell[]): FieldKind {
  const first = values.find((value) => value !== null);
  if (typeof first === 'number') return 'number';
  if (typeof first === 'boolean') return 'boolean';
  return 'string';
}

/** `{{label}}` in a legend; unknown labels become nothing, as in Grafana. */
export function applyLegend(format: string, labels: LabelSet): string {
  return format.replace(/\{\{\s*(.+?)\s*\}\}/g, (_, name: string) => labels[name] ?? '');
}
