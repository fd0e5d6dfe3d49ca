// The role `tool`: promtool's job, as a table of subcommands.

import { once } from 'node:events';
import { text as readAll } from 'node:stream/consumers';
import { UserError } from '#base/errors.ts';
import { describeFlags, type ParsedCommand, parseFlags } from '#base/flags.ts';
import { nearest } from '#base/nearest.ts';
import type { Streams, ToolCommand } from './command.ts';
import { generateMetrics, lintMetrics } from './metrics.ts';
import { PROMQL_COMMANDS } from './promql.ts';
import { checkConfig, checkRules, testRules } from './rules.ts';
import { TSDB_COMMANDS } from './tsdb.ts';

export const TOOL_COMMANDS: readonly ToolCommand[] = [
  checkConfig,
  checkRules,
  testRules,
  lintMetrics,
  generateMetrics,
  ...TSDB_COMMANDS,
  ...PROMQL_COMMANDS,
];

const processStreams: Streams = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  stdin: () => readAll(process.stdin),
  drained: async () => {
    if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
  },
};

export async function runTool({ operands }: ParsedCommand<Record<never, never>>): Promise<number> {
  const asksHelp = operands.some((word) => word === '--help' || word === '-h');
  const command = findCommand(operands);
  if (!command) {
    const words = operands.filter((word) => !word.startsWith('-'));
    if (asksHelp || words.length === 0 || words[0] === 'help') {
      process.stdout.write(usage());
      return 0;
    }
    const asked = words.slice(0, 2).join(' ');
    const hint = nearest(
      asked,
      TOOL_COMMANDS.map(({ name }) => name),
    );
    throw new UserError(`expected command but got ${JSON.stringify(asked)}${hint ? `, did you mean ${hint}?` : ''}`);
  }
  if (asksHelp) {
    process.stdout.write(help(command));
    return 0;
  }
  const args = operands.slice(command.name.split(' ').length);
  const parsed = parseFlags(command.flags, args);
  return command.run(parsed.flags, parsed.operands, processStreams);
}

const findCommand = (operands: readonly string[]): ToolCommand | undefined =>
  TOOL_COMMANDS.find(({ name }) => name.split(' ').every((word, i) => operands[i] === word));

function usage(): string {
  const lines = TOOL_COMMANDS.map(({ name, operands, summary }) => `  ${`${name} ${operands}`}\n        ${summary}.`);
  return `Usage: pharos tool <command> [flags] [operands]\n\nCommands:\n${lines.join('\n')}\n`;
}

const help = ({ name, operands, summary, flags }: ToolCommand): string =>
  `Usage: pharos tool ${name} [flags] ${operands}\n\n${summary}.\n\nFlags:\n${describeFlags(flags, 100)}\n`;
