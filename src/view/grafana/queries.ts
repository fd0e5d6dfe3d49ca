// Grafana's query targets and data source references into ours. Sources are known by kind; what only one kind needs goes
// along in `extra`.

import type { Query, SourceRef } from '../model.ts';
import { bool, compact, filled, isObject, type Json, number, object, objects, type Problems, string } from './json.ts';

/** Grafana's plugin ids of the kinds of sources that Pharos has. */
export const SOURCE_KINDS: Readonly<Record<string, string>> = {
  prometheus: 'prometheus',
  'grafana-amazonprometheus-datasource': 'prometheus',
  mysql: 'mysql',
  postgres: 'postgres',
  'grafana-postgresql-datasource': 'postgres',
  'vertamedia-clickhouse-datasource': 'clickhouse',
  'grafana-clickhouse-datasource': 'clickhouse',
  elasticsearch: 'elasticsearch',
  'yesoreyeram-infinity-datasource': 'json',
  'marcusolsson-json-datasource': 'json',
  'simpod-json-datasource': 'json',
  'grafana-simple-json-datasource': 'json',
};

/** `${DS_X}` of exports, by the kind that its `__inputs` entry names. */
export type Inputs = ReadonlyMap<string, string>;

export function readInputs(dashboard: Json): Inputs {
  return new Map(objects(dashboard.__inputs).map((input) => [string(input.name) ?? '', string(input.pluginId) ?? '']));
}

export function readSource(value: unknown, inputs: Inputs, where: string, problems: Problems): SourceRef | undefined {
  if (value === null || value === undefined || value === '' || value === 'default') return undefined;
  if (typeof value === 'string') {
    const input = /^\$\{?(\w+)\}?$/.exec(value)?.[1];
    const plugin = input === undefined ? undefined : inputs.get(input);
    if (plugin !== undefined) return { kind: kindOf(plugin, where, problems) };
    if (value.startsWith('-- ')) return { uid: value };
    return { uid: value };
  }
  const { uid, type } = object(value);
  const kind =
    typeof type === 'string' && !['datasource', 'grafana', '__expr__'].includes(type)
      ? kindOf(type, where, problems)
      : undefined;
  const name = filled(uid);
  if (name?.startsWith('${') || name?.startsWith('$')) {
    const input = /^\$\{?(\w+)\}?$/.exec(name)?.[1] ?? '';
    const plugin = inputs.get(input);
    if (plugin !== undefined) return { kind: kind ?? kindOf(plugin, where, problems) };
  }
  return compact({ uid: name, kind });
}

function kindOf(plugin: string, where: string, problems: Problems): string {
  const kind = SOURCE_KINDS[plugin];
  if (kind === undefined) problems.add(where, `data source "${plugin}" is of a kind that Pharos does not query`);
  return kind ?? plugin;
}

function legendOf(target: Json): string | undefined {
  const format = filled(target.legendFormat);
  return format === '__auto' ? undefined : format;
}

/** Fields by which a target of another kind than Prometheus says what it asks. */
function expressionOf(target: Json): string {
  for (const name of ['expr', 'rawSql', 'rawQuery', 'query', 'url', 'jsonPath', 'target']) {
    const value = target[name];
    if (typeof value === 'string' && value !== '') return value;
  }
  return '';
}

const EXTRA = [
  'metrics',
  'bucketAggs',
  'timeField',
  'index',
  'root_selector',
  'columns',
  'parser',
  'url_options',
  'fields',
  'method',
  'body',
  'database',
  'table',
  'dateTimeColDataType',
  'format',
];

export function readQueries(
  targets: unknown,
  panelSource: SourceRef | undefined,
  inputs: Inputs,
  where: string,
  problems: Problems,
): Query[] {
  return objects(targets).flatMap((target, index): Query[] => {
    const ref = filled(target.refId) ?? String.fromCharCode(65 + (index % 26));
    const source = target.datasource === undefined ? undefined : readSource(target.datasource, inputs, where, problems);
    const uid = source?.uid ?? panelSource?.uid;
    if (uid === '__expr__' || object(target.datasource).type === '__expr__') {
      problems.add(where, `query ${ref} is a server-side expression (${String(target.type ?? '')}), which is left out`);
      return [];
    }
    if (uid === '-- Grafana --') {
      problems.add(where, `query ${ref} asks Grafana itself and is left out`);
      return [];
    }
    if (uid === '-- Dashboard --') {
      const id = number(target.panelId);
      if (id === undefined) {
        problems.add(where, `query ${ref} reuses another panel's answer but does not say which; it is left out`);
        return [];
      }
      const panel = compact({ id, transformed: bool(target.withTransforms) || undefined });
      return [compact({ ref, expr: '', panel, hidden: bool(target.hide) || undefined })];
    }
    const expr = expressionOf(target);
    if (expr === '' && target.metrics === undefined && target.bucketAggs === undefined) return [];
    const extra = Object.fromEntries(
      EXTRA.filter((name) => target[name] !== undefined && name !== 'format').map((name) => [name, target[name]]),
    );
    const isTable = target.format === 'table' || target.resultFormat === 'table' || target.format === 1;
    return [
      compact({
        ref,
        source: source && (source.uid !== undefined || source.kind !== undefined) ? source : undefined,
        expr,
        legend: legendOf(target) ?? filled(target.alias),
        format: target.format === 'heatmap' ? ('heatmap' as const) : isTable ? ('table' as const) : undefined,
        instant: bool(target.instant) || undefined,
        both: (bool(target.instant) && bool(target.range)) || undefined,
        // "step" beside it is what an editor of long ago worked out for the range it was saved at; nobody reads it.
        step: durationOf(target.interval),
        hidden: bool(target.hide) || undefined,
        exemplars: bool(target.exemplar) || undefined,
        extra: Object.keys(extra).length > 0 ? extra : undefined,
      }),
    ];
  });
}

/** '1m', or '>1m' of old panels. */
export function durationOf(value: unknown): string | undefined {
  const text = filled(value)?.replace(/^>=?\s*/, '');
  return text;
}

/** A query variable's query: text, or an object of a newer editor. */
export function variableQuery(value: unknown): string {
  if (typeof value === 'string') return value;
  if (!isObject(value)) return '';
  if (isObject(value.spec)) return variableQuery(value.spec.query ?? value.spec);
  if (typeof value.query === 'string') return value.query;
  const { qryType, metric, label, metricFilter } = value as Record<string, unknown>;
  if (qryType === 0 || qryType === 1)
    return typeof metric === 'string' && metric !== ''
      ? `label_values(${metric}, ${String(label)})`
      : `label_values(${String(label ?? '')})`;
  if (typeof metricFilter === 'string') return `metrics(${metricFilter})`;
  return expressionOf(value);
}
