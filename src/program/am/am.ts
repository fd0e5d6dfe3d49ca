// The role `am`: amtool's job, as a table of subcommands.

import type { ParsedCommand } from '#base/flags.ts';
import type { ToolCommand } from '../tool/command.ts';
import { runCommands } from '../tool/run-commands.ts';
import { ALERT_COMMANDS } from './alerts.ts';
import { CONFIG_COMMANDS } from './config.ts';
import { SILENCE_COMMANDS } from './silences.ts';

const AM_COMMANDS: readonly ToolCommand[] = [...ALERT_COMMANDS, ...SILENCE_COMMANDS, ...CONFIG_COMMANDS];

export const runAm = ({ operands }: ParsedCommand<Record<never, never>>): Promise<number> =>
  runCommands('am', AM_COMMANDS, operands);
