// Loads a YAML document by a schema. Every problem comes with file, line, column and field; a document with any problem
// yields none of its values.

import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { type Position, UserError } from '../errors.ts';
import type { Reading, Schema } from './schema.ts';

export type Problem = { readonly position: Position; readonly field: string; readonly message: string };

/** All problems of one file, in the order of their positions; the message lists them a line each. */
export class ConfigError extends UserError {
  readonly problems: readonly Problem[];

  constructor(file: string, problems: readonly Problem[]) {
    const [first, ...rest] = problems.map((p) => ({ ...p, text: p.field ? `${p.field}: ${p.message}` : p.message }));
    const more = rest.map((p) => `\n${file}:${p.position.line}:${p.position.column}: ${p.text}`).join('');
    super(`${first?.text ?? 'invalid'}${more}`, file, first?.position);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/** Throws a ConfigError unless the whole document fits the schema. An empty document reads as an empty mapping. */
export function loadYaml<T>(text: string, schema: Schema<T>, file: string): T {
  return read(text, schema, file).value;
}

/** The document as the user wrote it, with <secret> in place of every secret. */
export function displayYaml<T>(text: string, schema: Schema<T>, file: string): string {
  const ranges = read(text, schema, file).secrets.flatMap(({ node, shown }) =>
    node.range ? [{ range: node.range, shown }] : [],
  );
  let shown = '';
  let from = 0;
  ranges.sort((a, b) => a.range[0] - b.range[0]);
  for (const secret of ranges) {
    const [start, end] = secret.range;
    if (start < from || end === start) continue;
    shown += text.slice(from, start) + secret.shown;
    from = text[end - 1] === '\n' ? end - 1 : end;
  }
  return shown + text.slice(from);
}

type Secret = { readonly node: Node; readonly shown: string };

function read<T>(text: string, schema: Schema<T>, file: string): { value: T; secrets: readonly Secret[] } {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true, uniqueKeys: true, prettyErrors: false });
  const problems: Problem[] = [];
  const secrets: Secret[] = [];
  const positionOf = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  for (const error of document.errors) {
    problems.push({ position: positionOf(error.pos[0]), field: '', message: `cannot read YAML: ${error.message}` });
  }
  if (problems.length > 0) throw new ConfigError(file, problems);
  const reading: Reading = {
    problem(node, field, message) {
      problems.push({ position: positionOf(node?.range?.[0] ?? 0), field, message });
    },
    secret: (node, shown) => void secrets.push({ node, shown }),
    positionOf: (node) => positionOf(node?.range?.[0] ?? 0),
    resolve: (node) => (isAlias(node) ? node.resolve(document) : node),
    kinds: { isAlias, isMap, isScalar, isSeq },
  };
  const root = reading.resolve(document.contents as Node | null) ?? document.createNode(null);
  const value = schema.read(root, '', reading);
  problems.sort((a, b) => a.position.line - b.position.line || a.position.column - b.position.column);
  if (problems.length > 0 || value === undefined) throw new ConfigError(file, problems);
  return { value, secrets };
}

/** Replaces ${NAME} and $NAME by what the environment holds, as Prometheus does in external labels; $$ is a dollar sign. */
export function expandEnvironment(text: string, environment: Readonly<Record<string, string | undefined>>): string {
  return text.replace(/\$(?:(\$)|\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*))/g, (_, dollar, braced, plain) =>
    dollar ? '$' : (environment[braced ?? plain] ?? ''),
  );
}
