// Looking into the answers of Elasticsearch.

export type Json = { readonly [key: string]: unknown };

/** What of an answer becomes which metric; the divisor brings it into the metric's unit. */
export type Field = readonly [path: string, metric: string, type: 'counter' | 'gauge', divisor?: number];

/** Keys hold dots nowhere but in "load_average.1m", whose parts are looked up one by one. */
export function at(value: unknown, path: string): unknown {
  let current = value;
  for (const key of path.split('.')) current = (current as Json | null | undefined)?.[key];
  return current;
}
