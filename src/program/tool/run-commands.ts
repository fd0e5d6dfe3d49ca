// Runs a role that is a table of subcommands: finds the command, reads its flags, explains itself and its mistakes.

import { once } from 'node:events';
import { text as readAll } from 'node:stream/consumers';
import { UserError } from '#base/errors.ts';
import { describeFlags, parseFlags } from '#base/flags.ts';
import { nearest } from '#base/nearest.ts';
import type { Streams, ToolCommand } from './command.ts';

const processStreams: Streams = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  stdin: () => readAll(process.stdin),
  drained: async () => {
    if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
  },
};

export async function runCommands(
  role: string,
  commands: readonly ToolCommand[],
  words: readonly string[],
): Promise<number> {
  // Flags may stand before the command as well.
  const first = words.findIndex((word) => !word.startsWith('-'));
  const operands = first > 0 ? [...words.slice(first), ...words.slice(0, first)] : words;
  const asksHelp = operands.some((word) => word === '--help' || word === '-h');
  const command = findCommand(commands, operands);
  if (!command) {
    const words = operands.filter((word) => !word.startsWith('-'));
    if (asksHelp || words.length === 0 || words[0] === 'help') {
      process.stdout.write(usage(role, commands));
      return 0;
    }
    const asked = words.slice(0, 2).join(' ');
    const hint = nearest(
      asked,
      commands.map(({ name }) => name),
    );
    throw new UserError(`expected command but got ${JSON.stringify(asked)}${hint ? `, did you mean ${hint}?` : ''}`);
  }
  if (asksHelp) {
    process.stdout.write(help(role, command));
    return 0;
  }
  const args = operands.slice(command.name.split(' ').length);
  const parsed = parseFlags(command.flags, args);
  return command.run(parsed.flags, parsed.operands, processStreams);
}

const findCommand = (commands: readonly ToolCommand[], operands: readonly string[]): ToolCommand | undefined =>
  commands.find(({ name }) => name.split(' ').every((word, i) => operands[i] === word));

function usage(role: string, commands: readonly ToolCommand[]): string {
  const lines = commands.map(({ name, operands, summary }) => `  ${`${name} ${operands}`}\n        ${summary}.`);
  return `Usage: pharos ${role} <command> [flags] [operands]\n\nCommands:\n${lines.join('\n')}\n`;
}

const help = (role: string, { name, operands, summary, flags }: ToolCommand): string =>
  `Usage: pharos ${role} ${name} [flags] ${operands}\n\n${summary}.\n\nFlags:\n${describeFlags(flags, 100)}\n`;
