// Unit-test files of rules, in promtool's format.

import path from 'node:path';
import { loadYaml } from '#base/config/load.ts';
import {
  boolean,
  duration,
  list,
  map,
  number,
  object,
  optional,
  record,
  type Schema,
  string,
  withDefault,
} from '#base/config/schema.ts';
import type { Disk } from '#base/disk/disk.ts';
import { UserError } from '#base/errors.ts';
import { glob } from '../rules/glob.ts';

const timestamp: Schema<number> = map(string(), (text) => {
  const ms = /^-?\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text);
  if (Number.isNaN(ms)) throw new Error(`cannot parse ${JSON.stringify(text)} to a valid timestamp`);
  return ms;
});

const alertCase = object({
  eval_time: withDefault(duration(), 0),
  alertname: withDefault(string(), ''),
  exp_alerts: list(object({ exp_labels: record(string()), exp_annotations: record(string()) })),
});
const exprCase = object({
  expr: string(),
  eval_time: withDefault(duration(), 0),
  exp_samples: list(
    object({
      labels: withDefault(string(), '{}'),
      value: withDefault(numberText(), 0),
      histogram: withDefault(string(), ''),
    }),
  ),
});
const testCase = object({
  interval: optional(duration()),
  input_series: list(object({ series: string(), values: string() })),
  alert_rule_test: list(alertCase),
  promql_expr_test: list(exprCase),
  external_labels: record(string()),
  external_url: withDefault(string(), ''),
  name: withDefault(string(), ''),
  start_timestamp: withDefault(timestamp, 0),
});
const testFile = object({
  rule_files: list(string()),
  evaluation_interval: withDefault(duration(), 60_000),
  group_eval_order: list(string()),
  tests: list(testCase),
  fuzzy_compare: withDefault(boolean(), false),
});

/** YAML writes infinities and NaN in its own way, users in Go's. */
function numberText(): Schema<number> {
  const plain = number();
  return {
    ...plain,
    read(node, at, reading) {
      const source = String((node as { source?: unknown }).source ?? '');
      if (/^[+-]?\.?inf$/i.test(source)) return source.startsWith('-') ? -Infinity : Infinity;
      if (/^\.?nan$/i.test(source)) return Number.NaN;
      if (/^[+-]?0x[0-9a-f]+$/i.test(source)) return Number(source);
      return plain.read(node, at, reading);
    },
  };
}

export type AlertCase = typeof alertCase extends Schema<infer T> ? T : never;
export type ExprCase = typeof exprCase extends Schema<infer T> ? T : never;
export type TestCase = typeof testCase extends Schema<infer T> ? T : never;
export type TestFile = typeof testFile extends Schema<infer T> ? T : never;

/** Reads a file; its rule files are found relative to it. `warn` hears of patterns without a file. */
export function readTestFile(disk: Disk, file: string, warn: (message: string) => void): TestFile {
  const test = loadYaml(new TextDecoder().decode(disk.readFile(file)), testFile, file);
  const seen = new Set<string>();
  for (const group of test.group_eval_order) {
    if (seen.has(group)) throw new UserError(`group name repeated in evaluation order: ${group}`);
    seen.add(group);
  }
  const files = test.rule_files.flatMap((pattern) => {
    const full = pattern === '' || path.isAbsolute(pattern) ? pattern : path.join(path.dirname(file), pattern);
    const found = glob(disk, full);
    if (found.length === 0) warn(`  WARNING: no file match pattern ${full}`);
    return found;
  });
  return { ...test, rule_files: files };
}
