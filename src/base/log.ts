// Log lines in logfmt or JSON, one per event, written to standard error. A logger carries fields; `with` adds more.
// The time comes from the clock that is passed in, so logs of simulations are reproducible.

import type { Clock } from './clock.ts';
import { errorText } from './errors.ts';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_FORMATS = ['logfmt', 'json'] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger whose lines all carry `fields`. */
  with(fields: LogFields): Logger;
}

export type LogOptions = { readonly level: LogLevel; readonly format: LogFormat };

export function createLogger(options: LogOptions, clock: Clock, write: (line: string) => void): Logger {
  const threshold = LOG_LEVELS.indexOf(options.level);
  const render = options.format === 'json' ? renderJson : renderLogfmt;
  const make = (carried: LogFields): Logger => {
    const at = (level: LogLevel) => {
      if (LOG_LEVELS.indexOf(level) < threshold) return () => {};
      return (message: string, fields?: LogFields) =>
        write(render({ time: new Date(clock.now()).toISOString(), level, msg: message, ...carried, ...fields }));
    };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      with: (fields) => make({ ...carried, ...fields }),
    };
  };
  return make({});
}

/** A logger that drops everything; for tests that look at something else. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silentLogger,
};

function renderJson(fields: LogFields): string {
  return `${JSON.stringify(fields, (_, value) => (value instanceof Error ? errorText(value) : value))}\n`;
}

function renderLogfmt(fields: LogFields): string {
  const parts: string[] = [];
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const text =
      value instanceof Error ? errorText(value) : typeof value === 'object' ? JSON.stringify(value) : String(value);
    parts.push(`${key}=${/^[^\s"=\x00-\x1f]+$/.test(text) ? text : JSON.stringify(text)}`);
  }
  return `${parts.join(' ')}\n`;
}
