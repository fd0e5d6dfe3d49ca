// A set of templates that know each other, as text/template and html/template keep them: parse texts into it, then
// execute one by name, as text or with HTML's contextual escaping. Data is described in value.ts.

import { BUILTINS, type FunctionTable } from './builtins.ts';
import { type Environment, execute, type MissingKey } from './execute.ts';
import { escapeTrees } from './html/escape.ts';
import { HTML_FUNCTIONS } from './html/escapers.ts';
import { isEmptyList, type Tree } from './node.ts';
import { parseTemplate, TemplateError } from './parse.ts';
import { goQuote } from './quote.ts';
import type { Value } from './value.ts';

export type TemplateText = { readonly name: string; readonly text: string };

export type TemplateOptions = {
  readonly functions?: FunctionTable;
  readonly missingKey?: MissingKey;
};

/** Templates of several texts; later definitions replace earlier ones of the same name. */
export function parseTemplates(texts: readonly TemplateText[], options: TemplateOptions = {}): TemplateSet {
  return texts.reduce(
    (set, { name, text }) => set.with(name, text),
    new TemplateSet(new Map(), options.functions ?? {}, options.missingKey ?? 'invalid'),
  );
}

/** Immutable. */
export class TemplateSet {
  readonly #trees: ReadonlyMap<string, Tree>;
  readonly #functions: FunctionTable;
  readonly #missingKey: MissingKey;
  readonly #escaped = new Map<string, ReadonlyMap<string, Tree>>();

  constructor(trees: ReadonlyMap<string, Tree>, functions: FunctionTable, missingKey: MissingKey) {
    this.#trees = trees;
    this.#functions = functions;
    this.#missingKey = missingKey;
  }

  get names(): readonly string[] {
    return [...this.#trees.keys()];
  }

  has(name: string): boolean {
    return this.#trees.has(name);
  }

  /** The set with the templates of one more text. */
  with(name: string, text: string): TemplateSet {
    const known = (fn: string) =>
      fn === 'and' || fn === 'or' || Object.hasOwn(this.#functions, fn) || Object.hasOwn(BUILTINS, fn);
    const trees = new Map(this.#trees);
    for (const [treeName, tree] of parseTemplate({ name, text }, known)) {
      // An empty text does not erase a template of the same name.
      if (trees.has(treeName) && isEmptyList(tree.root)) continue;
      trees.set(treeName, tree);
    }
    return new TemplateSet(trees, this.#functions, this.#missingKey);
  }

  /** The set with more functions, or other ones under known names. */
  withFunctions(functions: FunctionTable): TemplateSet {
    return new TemplateSet(this.#trees, { ...this.#functions, ...functions }, this.#missingKey);
  }

  execute(name: string, data: Value, options: { readonly html?: boolean } = {}): string {
    if (!this.#trees.has(name)) {
      throw new TemplateError(`template: no template ${goQuote(name)} associated with template ${goQuote('')}`);
    }
    return execute(options.html ? this.#html(name) : this.#text(), name, data);
  }

  /** Parses a text and executes it among the templates of the set. */
  expand(text: string, data: Value, options: { readonly html?: boolean; readonly name?: string } = {}): string {
    if (text === '') return '';
    const name = options.name ?? '';
    return this.with(name, text).execute(name, data, options);
  }

  #text(): Environment {
    return { trees: this.#trees, functions: this.#functions, missingKey: this.#missingKey };
  }

  #html(name: string): Environment {
    let trees = this.#escaped.get(name);
    if (!trees) {
      trees = escapeTrees(this.#trees, name);
      this.#escaped.set(name, trees);
    }
    return { trees, functions: { ...this.#functions, ...HTML_FUNCTIONS }, missingKey: this.#missingKey };
  }
}
