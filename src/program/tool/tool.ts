// The role `tool`: promtool's job, as a table of subcommands.

import type { ParsedCommand } from '#base/flags.ts';
import type { ToolCommand } from './command.ts';
import { generateMetrics, lintMetrics } from './metrics.ts';
import { PROMQL_COMMANDS } from './promql.ts';
import { checkConfig, checkRules, testRules } from './rules.ts';
import { runCommands } from './run-commands.ts';
import { SERVER_COMMANDS } from './servers.ts';
import { TSDB_COMMANDS } from './tsdb.ts';

export const TOOL_COMMANDS: readonly ToolCommand[] = [
  checkConfig,
  checkRules,
  ...SERVER_COMMANDS,
  testRules,
  lintMetrics,
  generateMetrics,
  ...TSDB_COMMANDS,
  ...PROMQL_COMMANDS,
];

export const runTool = ({ operands }: ParsedCommand<Record<never, never>>): Promise<number> =>
  runCommands('tool', TOOL_COMMANDS, operands);
