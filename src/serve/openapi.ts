// The description of the API in OpenAPI, at the address where Prometheus has its own: made of the routes that are mounted, with a table
// of what each does and takes. A route that the table does not know is described by its path and methods alone.

import { stringify } from 'yaml';
import type { HttpResponse, Route } from './http.ts';

const PREFIX = '/api/v1';
const SERVERS = [{ url: PREFIX }];

type Kind = 'text' | 'texts' | 'integer' | 'boolean' | 'time' | 'duration';
type Parameter = readonly [kind: Kind, description: string];

const PARAMETERS: Readonly<Record<string, Parameter>> = {
  query: ['text', 'PromQL expression.'],
  time: ['time', 'Moment of evaluation; now if not given.'],
  start: ['time', 'Where the range begins.'],
  end: ['time', 'Where the range ends.'],
  step: ['duration', 'Distance of two steps.'],
  timeout: ['duration', 'How long the evaluation may take.'],
  lookback_delta: ['duration', 'How far back the last sample of a series counts.'],
  stats: ['text', 'Asks for statistics of the evaluation; "all" for those of each step.'],
  limit: ['integer', 'How many results are wanted at most; 0: all.'],
  'match[]': ['texts', 'Selector of series.'],
  'search[]': ['texts', 'Text to look for.'],
  fuzz_threshold: ['integer', 'How alike a result must be, 0 to 100.'],
  fuzz_alg: ['text', 'How likeness is measured.'],
  case_sensitive: ['boolean', 'Whether capital letters differ from small ones.'],
  sort_by: ['text', 'What results are sorted by.'],
  sort_dir: ['text', 'Direction of sorting: asc or dsc.'],
  include_score: ['boolean', 'Whether results tell how alike they are.'],
  include_metadata: ['boolean', 'Whether results have type, help and unit.'],
  batch_size: ['integer', 'How many results a line has.'],
  label: ['text', 'Name of a label.'],
  metric: ['text', 'Name of a metric.'],
  limit_per_metric: ['integer', 'How many entries a metric has at most.'],
  match_target: ['text', 'Selector of targets by their labels.'],
  scrapePool: ['text', 'Name of a scrape pool.'],
  state: ['text', 'State of targets: active, dropped or any.'],
  labels: ['text', 'Labels before relabeling, as a JSON object.'],
  type: ['text', 'Kind of rules: alert or record.'],
  'rule_name[]': ['texts', 'Name of a rule.'],
  'rule_group[]': ['texts', 'Name of a group of rules.'],
  'file[]': ['texts', 'File of rules.'],
  exclude_alerts: ['boolean', 'Leaves out the alerts of rules.'],
  group_limit: ['integer', 'How many groups a page has.'],
  group_next_token: ['text', 'Where the next page begins, as the page before said.'],
  skip_head: ['boolean', 'Leaves out what is in memory only.'],
  metric_name_pattern: ['text', 'Regular expression for names of metrics.'],
  openapi_version: ['text', '3.1 or 3.2.'],
};

type Operation = {
  readonly tag: string;
  readonly summary: string;
  /** Names from the table above; "!" marks those that are required. */
  readonly takes?: string;
  /** Answers without a body. */
  readonly isSilent?: boolean;
};

const RANGE = 'start end match[] limit';
const SEARCH =
  'match[] search[] fuzz_threshold fuzz_alg case_sensitive sort_by sort_dir include_score start end limit batch_size';

const OPERATIONS: Readonly<Record<string, Operation>> = {
  '/query': {
    tag: 'query',
    summary: 'Evaluates an expression at one moment',
    takes: 'query! time timeout limit lookback_delta stats',
  },
  '/query_range': {
    tag: 'query',
    summary: 'Evaluates an expression over a range of time',
    takes: 'query! start! end! step! timeout limit lookback_delta stats',
  },
  '/query_exemplars': { tag: 'query', summary: 'Exemplars of what an expression selects', takes: 'query! start end' },
  '/format_query': { tag: 'query', summary: 'Lays out an expression', takes: 'query!' },
  '/parse_query': { tag: 'query', summary: 'Parses an expression into its tree', takes: 'query!' },
  '/series': { tag: 'series', summary: 'Series that selectors select', takes: 'match[]! start end limit' },
  '/labels': { tag: 'labels', summary: 'Names of labels', takes: RANGE },
  '/label/:name/values': { tag: 'labels', summary: 'Values of a label', takes: RANGE },
  '/search/metric_names': {
    tag: 'metadata',
    summary: 'Searches names of metrics',
    takes: `${SEARCH} include_metadata`,
  },
  '/search/label_names': { tag: 'labels', summary: 'Searches names of labels', takes: SEARCH },
  '/search/label_values': { tag: 'labels', summary: 'Searches values of a label', takes: `label! ${SEARCH}` },
  '/metadata': { tag: 'metadata', summary: 'Type, help and unit of metrics', takes: 'metric limit limit_per_metric' },
  '/targets': { tag: 'targets', summary: 'Targets and how they are', takes: 'scrapePool state' },
  '/targets/metadata': { tag: 'targets', summary: 'Metadata by target', takes: 'match_target metric limit' },
  '/targets/relabel_steps': {
    tag: 'targets',
    summary: 'What each step of relabeling makes of labels',
    takes: 'scrapePool! labels!',
  },
  '/scrape_pools': { tag: 'targets', summary: 'Names of the scrape pools' },
  '/scrape_pools/config': { tag: 'targets', summary: 'Configuration of a scrape pool', takes: 'scrapePool!' },
  '/rules': {
    tag: 'rules',
    summary: 'Rules by group, with their alerts',
    takes: 'type rule_name[] rule_group[] file[] match[] exclude_alerts group_limit group_next_token',
  },
  '/alerts': { tag: 'alerts', summary: 'Alerts that are pending or fire' },
  '/alerts/explain': { tag: 'alerts', summary: 'The series and values behind alerts', takes: 'match[]! time' },
  '/alertmanagers': { tag: 'alerts', summary: 'Alertmanagers that alerts are sent to' },
  '/status/config': { tag: 'status', summary: 'The configuration in force' },
  '/status/runtimeinfo': { tag: 'status', summary: 'Facts about the running program' },
  '/status/buildinfo': { tag: 'status', summary: 'What is running' },
  '/status/flags': { tag: 'status', summary: 'Flags and their values' },
  '/status/tsdb': { tag: 'status', summary: 'Cardinality of what is in memory', takes: 'limit' },
  '/status/tsdb/blocks': { tag: 'status', summary: 'The blocks on disk' },
  '/status/walreplay': { tag: 'status', summary: 'How far the log is read' },
  '/status/self_metrics': { tag: 'status', summary: "The program's own metrics", takes: 'metric_name_pattern' },
  '/admin/tsdb/delete_series': {
    tag: 'admin',
    summary: 'Deletes samples of series',
    takes: 'match[]! start end',
    isSilent: true,
  },
  '/admin/tsdb/clean_tombstones': { tag: 'admin', summary: 'Frees the space of what was deleted', isSilent: true },
  '/admin/tsdb/snapshot': { tag: 'admin', summary: 'Makes a snapshot of all data', takes: 'skip_head' },
  '/read': { tag: 'remote', summary: 'Remote read' },
  '/write': { tag: 'remote', summary: 'Remote write', isSilent: true },
  '/otlp/v1/metrics': { tag: 'otlp', summary: 'Takes metrics by OTLP' },
  '/notifications': { tag: 'notifications', summary: 'What the operator should know' },
  '/notifications/live': { tag: 'notifications', summary: 'The same, as events' },
  '/features': { tag: 'features', summary: 'Features that are on' },
  '/openapi.yaml': { tag: 'status', summary: 'This description', takes: 'openapi_version' },
};

/** `routes`: everything that is served. */
export function openApiRoute(routes: () => readonly Route[], version: string): Route {
  return {
    methods: ['GET'],
    pattern: `${PREFIX}/openapi.yaml`,
    handler: ({ query }): HttpResponse => ({
      status: 200,
      headers: {
        'content-type': 'application/yaml; charset=utf-8',
        'cache-control': 'no-cache, no-store, must-revalidate',
      },
      body: stringify(describeApi(routes(), version, (query.get('openapi_version') ?? '').startsWith('3.2'))),
    }),
  };
}

export function describeApi(routes: readonly Route[], version: string, isNewer: boolean): Record<string, unknown> {
  const paths = new Map<string, Record<string, unknown>>();
  const tags = new Set<string>();
  for (const route of routes) {
    if (!route.pattern.startsWith(`${PREFIX}/`)) continue;
    const own = route.pattern.slice(PREFIX.length);
    const path = own.replace(/[:*](\w+)/g, '{$1}');
    // What takes every path says nothing about one.
    if (/^\/\{\w+\}$/.test(path) && own.includes('*')) continue;
    const item = paths.get(path) ?? {};
    for (const method of route.methods) {
      item[method.toLowerCase()] = operation(method, own, path);
      tags.add(tagOf(own));
    }
    paths.set(path, item);
  }
  return {
    openapi: isNewer ? '3.2.0' : '3.1.0',
    info: { title: 'Pharos API', description: 'The HTTP API of Prometheus, and what Pharos adds to it.', version },
    servers: SERVERS,
    tags: [...tags].sort().map((name) => ({ name })),
    paths: Object.fromEntries([...paths].sort(([a], [b]) => (a < b ? -1 : 1))),
    components: { schemas: SCHEMAS },
  };
}

const tagOf = (own: string): string => OPERATIONS[own]?.tag ?? own.split('/')[1]!;

function operation(method: string, own: string, path: string): Record<string, unknown> {
  const known = OPERATIONS[own];
  const names = (known?.takes ?? '').split(' ').filter(Boolean);
  const isForm = method === 'POST' && FORMS.has(own);
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const words = path
    .split(/[^a-zA-Z0-9]+/)
    .filter(Boolean)
    .map((word, i) => (i === 0 ? word : `${word[0]!.toUpperCase()}${word.slice(1)}`));
  return {
    tags: [tagOf(own)],
    summary: known?.summary ?? `${method} ${path}`,
    operationId: `${words.join('')}${method === 'GET' ? '' : `-${method.toLowerCase()}`}`,
    parameters: [...inPath, ...(isForm ? [] : names.map((name) => parameter(name)))],
    ...(isForm
      ? { requestBody: { required: true, content: { 'application/x-www-form-urlencoded': form(names) } } }
      : {}),
    responses: {
      [known?.isSilent ? '204' : '200']: known?.isSilent ? { description: 'Done.' } : answer('Success.', 'Success'),
      default: answer('What went wrong.', 'Error'),
    },
  };
}

/** What takes its parameters as a form as well. */
const FORMS = new Set([
  '/query',
  '/query_range',
  '/query_exemplars',
  '/format_query',
  '/parse_query',
  '/series',
  '/labels',
  '/search/metric_names',
  '/search/label_names',
  '/search/label_values',
]);

const answer = (description: string, schema: string) => ({
  description,
  content: { 'application/json': { schema: { $ref: `#/components/schemas/${schema}` } } },
});

function parameter(written: string): Record<string, unknown> {
  const name = written.replace(/!$/, '');
  const [kind, description] = PARAMETERS[name]!;
  return { name, in: 'query', description, required: written !== name, schema: schemaOf(kind) };
}

function form(names: readonly string[]): Record<string, unknown> {
  const properties = Object.fromEntries(
    names.map((written) => {
      const name = written.replace(/!$/, '');
      const [kind, description] = PARAMETERS[name]!;
      return [name, { ...schemaOf(kind), description }];
    }),
  );
  const required = names.filter((name) => name.endsWith('!')).map((name) => name.slice(0, -1));
  return { schema: { type: 'object', properties, ...(required.length > 0 ? { required } : {}) } };
}

function schemaOf(kind: Kind): Record<string, unknown> {
  switch (kind) {
    case 'text':
      return { type: 'string' };
    case 'texts':
      return { type: 'array', items: { type: 'string' } };
    case 'integer':
      return { type: 'integer', format: 'int64' };
    case 'boolean':
      return { type: 'boolean' };
    case 'time':
      return { oneOf: [{ type: 'string', format: 'date-time' }, { type: 'number' }] };
    case 'duration':
      return {
        oneOf: [
          { type: 'string', description: 'Such as 5m.' },
          { type: 'number', description: 'Seconds.' },
        ],
      };
  }
}

const texts = { type: 'array', items: { type: 'string' } };
const SCHEMAS = {
  Success: {
    type: 'object',
    required: ['status'],
    properties: { status: { type: 'string', enum: ['success'] }, data: {}, warnings: texts, infos: texts },
  },
  Error: {
    type: 'object',
    required: ['status', 'errorType', 'error'],
    properties: {
      status: { type: 'string', enum: ['error'] },
      errorType: { type: 'string' },
      error: { type: 'string' },
      data: {},
    },
  },
};
