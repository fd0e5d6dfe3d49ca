// What a subcommand of `pharos tool` is. A command reads its own flags and says what to exit with.

import type { FlagTable, FlagValues } from '#base/flags.ts';

export type Streams = {
  out(text: string): void;
  err(text: string): void;
  stdin(): Promise<string>;
  /** Resolves when more can be printed without piling up; for commands that print without end. */
  drained?(): Promise<void>;
};

export type ToolCommand<T extends FlagTable = FlagTable> = {
  /** "check rules" */
  readonly name: string;
  readonly summary: string;
  readonly operands: string;
  readonly flags: T;
  readonly run: (flags: FlagValues<T>, operands: readonly string[], streams: Streams) => Promise<number>;
};

/** Keeps the types of a command together and hands it out without them. */
export const toolCommand = <const T extends FlagTable>(command: ToolCommand<T>): ToolCommand =>
  command as unknown as ToolCommand;

/** Exit codes, as promtool's. */
export const SUCCESS = 0;
export const FAILURE = 1;
export const LINT_FAILURE = 3;
