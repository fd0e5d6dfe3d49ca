// Runs a role that is a table of subcommands: finds the command, reads its flags, explains itself and its mistakes.

import { once } from 'node:events';
import { text as readAll } from 'node:stream/consumers';
import { UserError } from '#base/errors.ts';
import { describeFlags, parseFlags } from '#base/flags.ts';
import { nearest } from '#base/nearest.ts';
import { versionText } from '../version.ts';
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
  const asksHelp = words.some((word) => word === '--help' || word === '-h');
  if (words.length === 1 && words[0] === '--version') {
    process.stdout.write(versionText());
    return 0;
  }
  const found = findCommand(commands, words);
  if (!found) {
    const plain = words.filter((word) => !word.startsWith('-'));
    if (asksHelp || plain.length === 0 || plain[0] === 'help') {
      process.stdout.write(usage(role, commands));
      return 0;
    }
    const asked = plain.slice(0, 2).join(' ');
    const hint = nearest(
      asked,
      commands.map(({ name }) => name),
    );
    throw new UserError(`expected command but got ${JSON.stringify(asked)}${hint ? `, did you mean ${hint}?` : ''}`);
  }
  const { command, args } = found;
  if (asksHelp) {
    process.stdout.write(help(role, command));
    return 0;
  }
  const parsed = parseFlags(command.flags, args);
  return command.run(parsed.flags, parsed.operands, processStreams);
}

type FoundCommand = { readonly command: ToolCommand; readonly args: readonly string[] };

function findCommand(commands: readonly ToolCommand[], words: readonly string[]): FoundCommand | undefined {
  for (const command of commands) {
    const args = argumentsOf(command, words);
    if (args) return { command, args };
  }
  return undefined;
}

/** What is left of the line without the words of the command. Its flags may stand before and between them. */
function argumentsOf({ name, flags }: ToolCommand, words: readonly string[]): string[] | undefined {
  const names = name.split(' ');
  const args: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (names.length === 0) return [...args, ...words.slice(i)];
    if (!word.startsWith('-')) {
      if (word !== names.shift()) return undefined;
      continue;
    }
    args.push(word);
    const value = words[i + 1];
    if (value === undefined || word.includes('=') || !takesValue(flags, word)) continue;
    args.push(value);
    i++;
  }
  return names.length === 0 ? args : undefined;
}

function takesValue(flags: ToolCommand['flags'], word: string): boolean {
  const written = word.replace(/^--?/, '');
  const flag = Object.entries(flags).find(([name, { short }]) => name === written || short === written)?.[1];
  return flag !== undefined && flag.kind !== 'boolean';
}

function usage(role: string, commands: readonly ToolCommand[]): string {
  const lines = commands.map(({ name, operands, summary }) => `  ${`${name} ${operands}`}\n        ${summary}.`);
  return `Usage: pharos ${role} <command> [flags] [operands]\n\nCommands:\n${lines.join('\n')}\n`;
}

const help = (role: string, { name, operands, summary, flags }: ToolCommand): string =>
  `Usage: pharos ${role} ${name} [flags] ${operands}\n\n${summary}.\n\nFlags:\n${describeFlags(flags, 100)}\n`;
