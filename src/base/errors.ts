// The two kinds of error that are not bugs. Operating errors carry a code that callers switch on; user errors carry
// the position of the mistake. Messages read "cannot <verb> <thing>: <cause>".

/** What went wrong outside the program: disk, network, limits, peers. */
export class OperatingError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'OperatingError';
    this.code = code;
  }
}

export type Position = { readonly line: number; readonly column: number };

/** A mistake in something the user wrote: a file, a flag, a query. */
export class UserError extends Error {
  readonly file: string | undefined;
  readonly position: Position | undefined;
  readonly reason: string;

  constructor(reason: string, file?: string, position?: Position) {
    const where = [file, position && `${position.line}:${position.column}`].filter(Boolean).join(':');
    super(where ? `${where}: ${reason}` : reason);
    this.name = 'UserError';
    this.reason = reason;
    this.file = file;
    this.position = position;
  }
}

/** The text of anything that was thrown, without a stack. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(errorText).join('; ');
  const cause = error.cause === undefined ? '' : errorText(error.cause);
  return cause && !error.message.includes(cause) ? `${error.message}: ${cause}` : error.message;
}

/** The code of an operating error or of a system error of Node; undefined for anything else. */
export function errorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
