// Assertions for bugs. An assertion that fails means the program is wrong, never the input: input errors are
// operating or user errors (see errors.ts).

/** Throws "BUG: ..." unless the condition holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`BUG: ${message}`);
}

/** Marks a switch as exhaustive: the type checker refuses a call that can be reached. */
export function unreachable(value: never): never {
  throw new Error(`BUG: unexpected value ${JSON.stringify(value)}`);
}
