// `pharos tool promql`: expressions laid out, and the matchers of their selectors changed, as promtool's commands of the same
// names do.

import { UserError } from '#base/errors.ts';
import type { MatchType } from '#model/matcher.ts';
import type { Expr } from '#query/parse/ast.ts';
import { deleteMatchers, setMatcher } from '#query/parse/edit.ts';
import { ALL_FEATURES, parseExpr } from '#query/parse/parser.ts';
import { prettyExpr } from '#query/parse/pretty.ts';
import { type Streams, SUCCESS, type ToolCommand, toolCommand } from './command.ts';

const TYPES: readonly MatchType[] = ['=', '!=', '=~', '!~'];

function operandsOf(operands: readonly string[], ...names: string[]): string[] {
  names.forEach((name, i) => {
    if (operands[i] === undefined) throw new UserError(`required argument '${name}' not provided`);
  });
  return [...operands];
}

function edited(query: string, streams: Streams, edit: (expr: Expr) => void): number {
  const expr = parseExpr(query, ALL_FEATURES);
  edit(expr);
  streams.out(`${prettyExpr(expr)}\n`);
  return SUCCESS;
}

const format = toolCommand({
  name: 'promql format',
  summary: 'Lays out a PromQL expression',
  operands: '<query>',
  flags: {},
  run: async (_, operands, streams) => edited(operandsOf(operands, 'query')[0]!, streams, () => {}),
});

const set = toolCommand({
  name: 'promql label-matchers set',
  summary: 'Sets a label matcher in every selector of an expression',
  operands: '<query> <name> <value>',
  flags: { type: { kind: 'text', default: '=', values: TYPES, help: 'Type of the matcher: =, !=, =~ or !~.' } },
  run: async ({ type }, operands, streams) => {
    const [query, name, value] = operandsOf(operands, 'query', 'name', 'value');
    return edited(query!, streams, (expr) => setMatcher(expr, { type: type as MatchType, name: name!, value: value! }));
  },
});

const remove = toolCommand({
  name: 'promql label-matchers delete',
  summary: 'Deletes a label from every selector of an expression',
  operands: '<query> <name>',
  flags: {},
  run: async (_, operands, streams) => {
    const [query, name] = operandsOf(operands, 'query', 'name');
    return edited(query!, streams, (expr) => deleteMatchers(expr, name!));
  },
});

export const PROMQL_COMMANDS: readonly ToolCommand[] = [format, set, remove];
