// The role `tool`: promtool's job, as a table of subcommands.

import type { FlagTable, ParsedCommand } from '#base/flags.ts';
import { analyze } from './analyze.ts';
import { benchWrite } from './bench.ts';
import type { ToolCommand } from './command.ts';
import { DEBUG_COMMANDS } from './debug.ts';
import { checkServiceDiscovery } from './discovery.ts';
import { generateMetrics, lintMetrics } from './metrics.ts';
import { PAGE_COMMANDS } from './page.ts';
import { PROMQL_COMMANDS } from './promql.ts';
import { checkConfig, checkRules, testRules } from './rules.ts';
import { runCommands } from './run-commands.ts';
import { SERVER_COMMANDS } from './servers.ts';
import { TSDB_COMMANDS } from './tsdb.ts';

const COMMANDS: readonly ToolCommand[] = [
  checkConfig,
  checkRules,
  checkServiceDiscovery,
  ...SERVER_COMMANDS,
  analyze,
  ...PAGE_COMMANDS,
  ...DEBUG_COMMANDS,
  testRules,
  lintMetrics,
  generateMetrics,
  ...TSDB_COMMANDS,
  benchWrite,
  ...PROMQL_COMMANDS,
];

/** Flags that promtool has for groups of commands: taken by all of a group, obeyed by those that have them themselves. */
const GROUP_FLAGS: Readonly<Record<string, FlagTable>> = {
  '': {
    experimental: { kind: 'boolean', default: false, hidden: true, help: 'Nothing here needs it.' },
    'enable-feature': { kind: 'texts', default: [], hidden: true, help: 'Features of PromQL.' },
  },
  check: {
    'query.lookback-delta': { kind: 'duration', default: 300_000, hidden: true, help: 'Lookback of the server.' },
  },
  query: { format: { kind: 'text', short: 'o', default: 'promql', hidden: true, help: 'Output format.' } },
};

export const TOOL_COMMANDS: readonly ToolCommand[] = COMMANDS.map((command) => ({
  ...command,
  flags: { ...GROUP_FLAGS[''], ...GROUP_FLAGS[command.name.split(' ')[0]!], ...command.flags },
}));

export const runTool = ({ operands }: ParsedCommand<Record<never, never>>): Promise<number> =>
  runCommands('tool', TOOL_COMMANDS, operands);
