// Metrics pushed as JSON: tables of rows by label values, each with policies for what is stored but not pushed, stored and pushed, new,
// and pulled. Reading the request and applying it are pure; a request is refused whole or processed whole.

import { isLegacyLabelName, isLegacyMetricName } from '#model/labels.ts';
import { FamilyError } from '#wire/families/text.ts';
import { TABLE_POLICIES, type Table, type TablePolicy } from './state.ts';

type Row = readonly [values: readonly string[], value: number];
export type TablePush = {
  readonly name: string;
  /** Undefined: as before. */
  readonly labelNames: readonly string[] | undefined;
  readonly describe: string | undefined;
  readonly policies: Partial<Record<PolicyField, TablePolicy>>;
  readonly rows: readonly Row[];
};
type PolicyField = 'existNotUpdate' | 'existUpdate' | 'notExistUpdate' | 'pullFinish';

/** Field names as clients send them; the second ones are the misspelt ones of its tutorial. */
const POLICY_NAMES: Readonly<Record<string, PolicyField>> = {
  exist_not_update_type: 'existNotUpdate',
  exist_update_type: 'existUpdate',
  not_exist_update_type: 'notExistUpdate',
  pull_finish_deal_type: 'pullFinish',
  push_deal_type: 'pullFinish',
};
const OTHER_NAMES = new Set(['labels', 'lables', 'describe', 'data']);

const DEFAULTS: Readonly<Record<PolicyField, TablePolicy>> = {
  existNotUpdate: 'keep',
  existUpdate: 'update',
  notExistUpdate: 'update',
  pullFinish: 'keep',
};

/** Reads `{"metrics": {name: {...}}}`. Throws a FamilyError that names the metric and field. */
export function readTablePushes(body: string): TablePush[] {
  let request: unknown;
  try {
    request = JSON.parse(body);
  } catch (error) {
    throw new FamilyError(`cannot read the request: it is no JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (!isRecord(request)) throw new FamilyError('cannot read the request: expected an object with the field "metrics"');
  // Upstream's clients send the metrics as an object or as its JSON text.
  let metrics = request['metrics'];
  if (typeof metrics === 'string') metrics = JSON.parse(metrics) as unknown;
  if (!isRecord(metrics)) throw new FamilyError('cannot read the request: "metrics" must be an object of metrics');
  return Object.entries(metrics).map(([name, metric]) => readOne(name, metric));
}

function readOne(name: string, metric: unknown): TablePush {
  const fail = (message: string): never => {
    throw new FamilyError(`cannot read metric "${name}": ${message}`);
  };
  if (!isLegacyMetricName(name)) fail('its name is not a valid metric name');
  if (!isRecord(metric)) return fail('expected an object');
  const policies: Partial<Record<PolicyField, TablePolicy>> = {};
  for (const [field, value] of Object.entries(metric)) {
    const policy = POLICY_NAMES[field];
    if (policy !== undefined) {
      if (value === null || value === '') continue;
      if (!(TABLE_POLICIES as readonly unknown[]).includes(value))
        fail(`${field} is ${JSON.stringify(value)}, expected one of ${TABLE_POLICIES.join(', ')}`);
      policies[policy] = value as TablePolicy;
    } else if (!OTHER_NAMES.has(field)) fail(`unknown field "${field}"`);
  }
  const labels = metric['labels'] ?? metric['lables'];
  if (labels !== undefined && !isTexts(labels)) fail('"labels" must be a list of label names');
  const labelNames = labels as readonly string[] | undefined;
  for (const label of labelNames ?? [])
    if (!isLegacyLabelName(label) || label.startsWith('__')) fail(`"${label}" is not a valid label name`);
  if (new Set(labelNames).size !== (labelNames?.length ?? 0)) fail('a label is named twice');
  const describe = metric['describe'];
  if (describe !== undefined && typeof describe !== 'string') fail('"describe" must be text');
  const data = metric['data'] ?? [];
  if (!Array.isArray(data)) return fail('"data" must be a list');
  return {
    name,
    labelNames,
    describe: describe as string | undefined,
    policies,
    rows: data.map((row, i) => readRow(row, i, fail)),
  };
}

function readRow(row: unknown, index: number, fail: (message: string) => never): Row {
  if (!Array.isArray(row) || row.length !== 2 || !Array.isArray(row[0]))
    return fail(`data[${index}] must be [[label values], value]`);
  const values = row[0].map((value) =>
    typeof value === 'object' && value !== null
      ? fail(`data[${index}] has a label value that is no text`)
      : String(value),
  );
  const value = typeof row[1] === 'string' && row[1].trim() !== '' ? Number(row[1]) : row[1];
  if (typeof value !== 'number' || Number.isNaN(value)) return fail(`data[${index}] has a value that is no number`);
  return [values, value];
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every((one) => typeof one === 'string');

/** The table after a push. Throws a FamilyError when the labels do not fit. */
export function applyTable(before: Table | undefined, push: TablePush, now: number): Table {
  const labelNames = push.labelNames ?? before?.labelNames ?? [];
  const sameLabels = before === undefined || labelNames.join('\xff') === before.labelNames.join('\xff');
  for (const [values] of push.rows)
    if (values.length !== labelNames.length)
      throw new FamilyError(
        `cannot store metric "${push.name}": ${values.length} label values for ${labelNames.length} labels`,
      );
  const policy = (field: PolicyField) => push.policies[field] ?? before?.[field] ?? DEFAULTS[field];
  const version = (before?.version ?? 0) + 1;
  const pushed = new Map(push.rows.map(([values, value]) => [values.join('\xff'), { values, value }] as const));
  const rows: { values: readonly string[]; value: number; changed: number }[] = [];
  // Other labels are another metric: nothing of the old rows can be kept.
  for (const row of sameLabels ? (before?.rows ?? []) : []) {
    const key = row.values.join('\xff');
    const update = pushed.get(key);
    pushed.delete(key);
    const value = update
      ? nextValue(policy('existUpdate'), row.value, update.value)
      : nextValue(policy('existNotUpdate'), row.value, undefined);
    if (value !== undefined)
      rows.push({ values: row.values, value, changed: update || value !== row.value ? version : row.changed });
  }
  for (const { values, value } of pushed.values()) {
    const stored = nextValue(policy('notExistUpdate'), undefined, value);
    if (stored !== undefined) rows.push({ values, value: stored, changed: version });
  }
  return {
    name: push.name,
    labelNames,
    describe: push.describe ?? before?.describe ?? '',
    existNotUpdate: policy('existNotUpdate'),
    existUpdate: policy('existUpdate'),
    notExistUpdate: policy('notExistUpdate'),
    pullFinish: policy('pullFinish'),
    version,
    pushedAt: now,
    rows,
  };
}

/** What a row becomes under a policy; undefined: no row. */
function nextValue(policy: TablePolicy, stored: number | undefined, pushed: number | undefined): number | undefined {
  switch (policy) {
    case 'clear':
      return undefined;
    case 'keep':
      return stored;
    case 'reset':
      return 0;
    case 'update':
      return pushed ?? stored;
    case 'add':
      return stored === undefined ? pushed : stored + (pushed ?? 0);
  }
}
