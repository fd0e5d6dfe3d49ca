// The role `am`: amtool's job, as a table of subcommands. Defaults of all their flags may stand in amtool's configuration files.

import os from 'node:os';
import path from 'node:path';
import { loadYaml } from '#base/config/load.ts';
import { record, string } from '#base/config/schema.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { UserError } from '#base/errors.ts';
import { type Flag, type FlagTable, type FlagValues, type ParsedCommand, parseFlags } from '#base/flags.ts';
import type { ToolCommand } from '../tool/command.ts';
import { runCommands } from '../tool/run-commands.ts';
import { ALERT_COMMANDS } from './alerts.ts';
import { API_FLAGS, checkVersion } from './api.ts';
import { CONFIG_COMMANDS } from './config.ts';
import { SILENCE_COMMANDS } from './silences.ts';

const AM_COMMANDS: readonly ToolCommand[] = [...ALERT_COMMANDS, ...SILENCE_COMMANDS, ...CONFIG_COMMANDS];

/** What amtool's files call a flag that has another name. */
const OLD_NAMES: Readonly<Record<string, string>> = { comment_required: 'require-comment' };

/** Defaults that users keep in amtool's files: their own, then the machine's. */
function settings(): ReadonlyMap<string, { readonly text: string; readonly file: string }> {
  const files = [path.join(os.homedir(), '.config', 'amtool', 'config.yml'), '/etc/amtool/config.yml'];
  const found = new Map<string, { text: string; file: string }>();
  for (const file of files.filter((name) => nodeDisk.exists(name))) {
    const values = loadYaml(new TextDecoder().decode(nodeDisk.readFile(file)), record(string()), file);
    for (const [written, text] of Object.entries(values)) {
      const name = OLD_NAMES[written] ?? written;
      if (!found.has(name)) found.set(name, { text, file });
    }
  }
  return found;
}

/** The flags of a command with the defaults of the files, and those that amtool takes everywhere. */
function flagsOf(command: ToolCommand, given: ReturnType<typeof settings>): FlagTable {
  const everywhere = Object.fromEntries(
    Object.entries(API_FLAGS).map(([name, flag]) => [name, { ...flag, hidden: true }]),
  );
  return Object.fromEntries(
    Object.entries({ ...everywhere, ...command.flags }).map(([name, flag]): [string, Flag] => {
      const setting = given.get(name);
      if (!setting) return [name, flag];
      try {
        const { flags } = parseFlags({ [name]: flag }, [`--${name}=${setting.text}`]);
        return [name, { ...flag, default: flags[name] } as Flag];
      } catch (error) {
        if (error instanceof UserError) throw new UserError(error.message, setting.file);
        throw error;
      }
    }),
  );
}

export function runAm({ operands }: ParsedCommand<Record<never, never>>): Promise<number> {
  const given = settings();
  const commands = AM_COMMANDS.map((command): ToolCommand => {
    const asksServer = 'alertmanager.url' in command.flags;
    return {
      ...command,
      flags: flagsOf(command, given),
      async run(flags, rest, streams) {
        const api = flags as FlagValues<typeof API_FLAGS>;
        if (asksServer && api['version-check'] && api['alertmanager.url'] !== '') await checkVersion(api, streams.err);
        return command.run(flags, rest, streams);
      },
    };
  });
  return runCommands('am', commands, operands);
}
