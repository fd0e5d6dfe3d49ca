// Errors of the parser and the type checker: a message with the range it is about. The text reads as Prometheus prints
// it, "line:column: parse error: message", columns counted in bytes.

import { UserError } from '#base/errors.ts';
import type { Range } from './ast.ts';

export class ParseError extends UserError {
  readonly range: Range;

  constructor(reason: string, query: string, range: Range) {
    super(reason, undefined, positionOf(query, range.start));
    this.name = 'ParseError';
    this.range = range;
    this.message = `${describePosition(query, range.start)}: parse error: ${reason}`;
  }
}

const utf8 = new TextEncoder();

/** Line and column, both from 1, the column in bytes. */
export function positionOf(query: string, offset: number): { readonly line: number; readonly column: number } {
  const before = query.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  let line = 1;
  for (let i = 0; i < lineStart; i++) if (before.charCodeAt(i) === 10) line++;
  return { line, column: utf8.encode(before.slice(lineStart)).length + 1 };
}

export function describePosition(query: string, offset: number): string {
  if (query === '') return 'unknown position';
  if (offset < 0 || offset > query.length) return 'invalid position';
  const { line, column } = positionOf(query, offset);
  return `${line}:${column}`;
}
