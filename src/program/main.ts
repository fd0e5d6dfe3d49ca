#!/usr/bin/env node
// The command: finds the role in the table, reads its flags, runs it. Only the role that runs is loaded.

import { errorCode, errorText, OperatingError, UserError } from '#base/errors.ts';
import { describeFlags, type FlagTable, parseFlags } from '#base/flags.ts';
import { nearest } from '#base/nearest.ts';
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

async function roleHelp(name: string, role: Role): Promise<string> {
  const width = Math.min(process.stdout.columns || 100, 120);
  const operands = role.operands ? ` ${role.operands}` : '';
  const own = '  --help\n        Show this text.\n  --version\n        Show the version.\n';
  return `Usage: pharos ${name} [flags]${operands}\n\n${role.help ?? `${role.summary}.`}\n\nFlags:\n${describeFlags(await flagsOf(role), width)}\n${own}`;
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
  if (!role.ownHelp && rest.some((arg) => arg === '--help' || arg === '-h')) {
    process.stdout.write(await roleHelp(name, role));
    return 0;
  }
  if (!role.ownHelp && rest.includes('--version')) {
    process.stdout.write(versionText());
    return 0;
  }
  const command = role.ownHelp
    ? { flags: {}, operands: rest, given: new Set<string>() }
    : parseFlags(await flagsOf(role), rest);
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
