#!/usr/bin/env node
// The command: finds the role in the table, reads its flags, runs it. Only the role that runs is loaded.

import fs from 'node:fs';
import { errorCode, errorText, OperatingError, UserError } from '#base/errors.ts';
import { describeFlags, expandArguments, type FlagTable, type ParsedCommand, parseFlags } from '#base/flags.ts';
import { nearest } from '#base/nearest.ts';
import { GONE_FLAGS } from './prometheus-flags.ts';
import { ROLES, type Role } from './roles.ts';
import { VERSION, versionText } from './version.ts';

const NEEDED_NODE = [24, 12] as const;

function usage(): string {
  const width = Math.max(...Object.keys(ROLES).map((name) => name.length));
  const roles = Object.entries(ROLES).map(([name, role]) => `  ${name.padEnd(width)}  ${role.summary}`);
  return `Pharos ${VERSION}: a complete monitoring system.

Usage: pharos <role> [flags]

Roles:
${roles.join('\n')}

pharos <role> --help lists a role's flags; pharos --version prints the version.
`;
}

const flagsOf = async (role: Role): Promise<FlagTable> =>
  typeof role.flags === 'function' ? role.flags() : role.flags;

async function roleHelp(name: string, role: Role, all = false): Promise<string> {
  const width = Math.min(process.stdout.columns || 100, 120);
  const operands = role.operands ? ` ${role.operands}` : '';
  const own =
    '  -h, --help\n        Show this text; --help-long with what is hidden, --help-man as a manual page.\n  --version\n        Show the version.\n';
  return `Usage: pharos ${name} [flags]${operands}\n\n${role.help ?? `${role.summary}.`}\n\nFlags:\n${describeFlags(await flagsOf(role), width, all)}\n${own}`;
}

/** A page for man(1). */
async function roleManual(name: string, role: Role): Promise<string> {
  const plain = (text: string) =>
    text
      .replaceAll('\\', '\\e')
      .replaceAll('-', '\\-')
      .replace(/^(?=[.'])/gm, '\\&');
  const flags = Object.entries(await flagsOf(role)).flatMap(([flag, { kind, help, hidden }]) =>
    hidden ? [] : [`.TP\n\\fB\\-\\-${plain(flag)}\\fR${kind === 'boolean' ? '' : '=\\fIVALUE\\fR'}\n${plain(help)}`],
  );
  return [
    `.TH "PHAROS ${name.toUpperCase()}" 1 "" "${VERSION}"`,
    `.SH NAME\npharos ${plain(name)} \\- ${plain(role.summary)}`,
    `.SH SYNOPSIS\n\\fBpharos ${plain(name)}\\fR [\\fIflags\\fR]${role.operands ? ` ${plain(role.operands)}` : ''}`,
    `.SH DESCRIPTION\n${plain(role.help ?? `${role.summary}.`)}`,
    `.SH OPTIONS\n${flags.join('\n')}\n`,
  ].join('\n');
}

async function asked(name: string, role: Role, args: readonly string[]): Promise<string | undefined> {
  if (args.includes('--help-man')) return roleManual(name, role);
  if (args.includes('--help-long')) return roleHelp(name, role, true);
  if (args.some((arg) => arg === '--help' || arg === '-h')) return roleHelp(name, role);
  return args.includes('--version') ? versionText() : undefined;
}

async function readCommand(role: Role, args: readonly string[]): Promise<ParsedCommand<FlagTable>> {
  for (const arg of args) {
    const gone = GONE_FLAGS[arg.replace(/^--?/, '').replace(/=.*$/s, '')];
    if (arg.startsWith('-') && gone !== undefined) throw new UserError(`cannot take ${arg}: ${gone}`);
  }
  const command = parseFlags(await flagsOf(role), args);
  const [unexpected] = command.operands;
  if (unexpected !== undefined && !role.operands) throw new UserError(`unexpected ${unexpected}`);
  return command;
}

function argumentsOf(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch (error) {
    throw new UserError(`cannot read arguments from ${file}: ${errorText(error)}`);
  }
}

async function run(args: readonly string[]): Promise<number> {
  const [name = 'help', ...rest] = args;
  if (name === 'help' || name === '--help' || name === '-h') {
    const asked = rest[0];
    const role = asked !== undefined && Object.hasOwn(ROLES, asked) ? ROLES[asked] : undefined;
    process.stdout.write(asked && role ? await roleHelp(asked, role) : usage());
    return 0;
  }
  if (name === '--version' || name === 'version') {
    process.stdout.write(versionText());
    return 0;
  }
  const role = Object.hasOwn(ROLES, name) ? ROLES[name] : undefined;
  if (!role) {
    const hint = nearest(name, Object.keys(ROLES));
    const what = name.startsWith('-') ? `expected a role before ${name}` : `unknown role ${name}`;
    throw new UserError(`${what}${hint ? `, did you mean ${hint}?` : '; "pharos help" lists the roles'}`);
  }
  let command: ParsedCommand<FlagTable>;
  if (role.ownHelp) command = { flags: {}, operands: rest, given: new Set<string>() };
  else {
    const own = expandArguments(rest, argumentsOf);
    const answer = await asked(name, role, own);
    if (answer !== undefined) {
      process.stdout.write(answer);
      return 0;
    }
    command = await readCommand(role, own);
  }
  const perform = await role.load(command);
  return perform(command);
}

function checkRuntime(): void {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > NEEDED_NODE[0] || (major === NEEDED_NODE[0] && minor >= NEEDED_NODE[1])) return;
  throw new UserError(`Node ${process.versions.node} is too old: ${NEEDED_NODE.join('.')} or later is needed`);
}

/** Resolves when everything printed has been handed over: pipes take it at their reader's speed. */
const flushed = (stream: NodeJS.WriteStream): Promise<void> =>
  new Promise((resolve) => {
    stream.write('', () => resolve());
  });

// A reader that has seen enough, as `head`, ends the program without a word.
process.stdout.on('error', (error) => {
  if (errorCode(error) !== 'EPIPE') throw error;
  process.exit();
});

try {
  checkRuntime();
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  const expected = error instanceof UserError || error instanceof OperatingError;
  process.stderr.write(`pharos: ${expected ? errorText(error) : (error as Error).stack}\n`);
  process.exitCode = error instanceof UserError ? 2 : 1;
}
await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
// Roles return when their work is done; nothing that is still open may hold the process back.
process.exit();
