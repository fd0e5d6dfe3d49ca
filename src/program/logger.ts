// The log of a process: every role's and every thread's lines go to standard error.

import fs from 'node:fs';
import { systemClock } from '#base/clock.ts';
import { createLogger, type LogFormat, type Logger, type LogLevel } from '#base/log.ts';

export function processLogger(flags: { readonly 'log.level': string; readonly 'log.format': string }): Logger {
  const options = { level: flags['log.level'] as LogLevel, format: flags['log.format'] as LogFormat };
  // Written at once: a line must not be lost when the process dies right after it.
  return createLogger(options, systemClock, (line) => {
    try {
      fs.writeSync(2, line);
    } catch {
      // Nobody reads the log any more; going on matters more than saying so.
    }
  });
}
