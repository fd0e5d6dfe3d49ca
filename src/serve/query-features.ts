// What /api/v1/features says about the query language: keywords, operators and functions, and which of the experimental ones
// are switched on.

import { AGGREGATORS, ARITHMETIC_OPS, COMPARISON_OPS, SET_OPS, TRIM_OPS } from '#query/parse/ast.ts';
import type { ParseOptions } from '#query/parse/parser.ts';
import { FUNCTIONS } from '#query/parse/signatures.ts';

type Features = Record<string, Record<string, boolean>>;

export function features(
  options: ParseOptions,
  more: Readonly<Record<string, Readonly<Record<string, boolean>>>>,
): Features {
  const experimental = options.experimentalFunctions === true;
  const promql: Record<string, boolean> = {};
  for (const word of ['bool', 'by', 'group_left', 'group_right', 'ignoring', 'offset', 'on', 'without'])
    promql[word] = true;
  for (const word of ['anchored', 'smoothed']) promql[word] = options.extendedRangeSelectors === true;
  for (const word of ['fill', 'fill_left', 'fill_right']) promql[word] = options.fillModifiers === true;
  for (const word of ['at_modifier', 'negative_offset', 'subqueries', 'duration_expr']) promql[word] = true;
  const operators: Record<string, boolean> = {};
  for (const op of [...ARITHMETIC_OPS, ...COMPARISON_OPS, ...SET_OPS, ...TRIM_OPS, '=~', '!~', '@'])
    operators[op] = true;
  for (const op of AGGREGATORS) operators[op] = experimental || (op !== 'limitk' && op !== 'limit_ratio');
  const functions: Record<string, boolean> = {};
  for (const [name, signature] of FUNCTIONS) functions[name] = experimental || !signature.experimental;
  const own: Features = { promql, promql_operators: operators, promql_functions: functions };
  for (const [category, entries] of Object.entries(more)) own[category] = { ...own[category], ...entries };
  return own;
}
