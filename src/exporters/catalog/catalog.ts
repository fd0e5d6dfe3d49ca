// A metric catalog: what an organisation's programs report, module by module, and the scheme their names follow. It is the source of
// instrumentation code, documents, dashboards and alert rules (generate.ts), and it can be checked (lint.ts).

import { loadYaml } from '#base/config/load.ts';
import {
  duration,
  type Infer,
  list,
  number,
  object,
  oneOf,
  optional,
  record,
  string,
  withDefault,
} from '#base/config/schema.ts';
import type { MetricType } from '#model/batch.ts';

const alertSchema = object({
  expr: string(),
  for: withDefault(duration(), 0),
  severity: withDefault(oneOf('info', 'warning', 'critical'), 'warning'),
  summary: withDefault(string(), ''),
});

const metricSchema = object({
  name: string(),
  /** Counter, Gauge, Histogram or Summary, with "Vec" when it has labels; in any case. */
  type: withDefault(string(), ''),
  help: withDefault(string(), ''),
  unit: optional(string()),
  /** Label names and the values they are known to take; an empty list means any. */
  labels: withDefault(record(list(string())), {}),
  buckets: optional(list(number())),
  alert: optional(alertSchema),
});

export const catalogSchema = object({
  name: string(),
  title: withDefault(string(), ''),
  scheme: object({
    prefix: withDefault(string(), ''),
    tiers: withDefault(list(string()), []),
    outcomes: withDefault(list(string()), ['success', 'failure']),
  }),
  modules: list(
    object({
      name: string(),
      title: withDefault(string(), ''),
      tier: withDefault(string(), ''),
      metrics: withDefault(list(metricSchema), []),
    }),
  ),
});

export type Catalog = Infer<typeof catalogSchema>;
export type CatalogModule = Catalog['modules'][number];
export type CatalogMetric = CatalogModule['metrics'][number];

export const readCatalog = (text: string, file: string): Catalog => loadYaml(text, catalogSchema, file);

export type KnownType = 'counter' | 'gauge' | 'histogram' | 'summary';

/** The type without "Vec"; undefined when it is none. */
export function typeOf(metric: Pick<CatalogMetric, 'type'>): KnownType | undefined {
  const word = metric.type.toLowerCase().replace(/vec$/, '');
  return word === 'counter' || word === 'gauge' || word === 'histogram' || word === 'summary' ? word : undefined;
}

export const hasVec = (metric: Pick<CatalogMetric, 'type'>): boolean => /vec$/i.test(metric.type);

/** The segment a module has in names: "mesos-datawatch" in tier mesos is "datawatch". */
export function segmentOf(module: Pick<CatalogModule, 'name' | 'tier'>): string {
  const words = module.name.split('-');
  return (words.length > 1 && words[0] === module.tier ? words.slice(1) : words).join('_');
}

/** What a live page tells of a metric, as a catalog's entry. */
export function metricFromPage(
  name: string,
  type: MetricType | 'untyped',
  help: string,
  labels: Readonly<Record<string, readonly string[]>>,
): CatalogMetric {
  return { name, type, help, unit: undefined, labels, buckets: undefined, alert: undefined };
}
