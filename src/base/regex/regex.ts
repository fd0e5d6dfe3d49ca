// RE2 regular expressions, anchored at both ends as everywhere in Prometheus, `.` matching newlines. A pattern is first
// reduced to what needs no engine (literal, set of literals, prefix, suffix, contains); only the rest runs in RE2JS, whose time is linear
// in its input, so that no pattern can hang the program.

import type { RE2JS } from 're2js';
import { UserError } from '../errors.ts';
import { re2 } from './engine.ts';
import { type Glob, globsOf, literalOf, matchesGlob, prefixOf } from './globs.ts';

export interface Regex {
  readonly pattern: string;
  /** Whether the whole text matches. */
  test(text: string): boolean;
  /** The complete set of texts that match, when it is finite and small. */
  readonly literals: readonly string[] | undefined;
  /** What every match starts with; '' if nothing is known. */
  readonly prefix: string;
  /** The groups of a full match ([0] is the whole), or undefined. */
  match(text: string): readonly (string | undefined)[] | undefined;
  /** Group numbers by name. */
  readonly groupNames: Readonly<Record<string, number>>;
}

/** Throws a user error with RE2's wording when the pattern is invalid. */
export function compileRegex(pattern: string): Regex {
  return new Compiled(pattern);
}

class Compiled implements Regex {
  readonly pattern: string;
  readonly literals: readonly string[] | undefined;
  readonly prefix: string;
  readonly test: (text: string) => boolean;
  #engine: RE2JS | undefined;

  constructor(pattern: string) {
    this.pattern = pattern;
    // What can be reduced is valid; its engine is made when somebody asks for groups.
    const reduced = reduce(pattern);
    this.literals = reduced?.literals;
    this.prefix = reduced?.prefix ?? '';
    if (reduced) this.test = reduced.test;
    else {
      const engine = this.engine;
      this.test = (text) => engine.matches(text);
    }
  }

  get engine(): RE2JS {
    this.#engine ??= compileEngine(this.pattern);
    return this.#engine;
  }

  get groupNames(): Readonly<Record<string, number>> {
    return this.engine.namedGroups() as Record<string, number>;
  }

  match(text: string): readonly (string | undefined)[] | undefined {
    if (this.pattern === ANYTHING) return [text, text];
    const matcher = this.engine.matcher(text);
    if (!matcher.matches()) return undefined;
    return Array.from({ length: matcher.groupCount() + 1 }, (_, group) => matcher.group(group) ?? undefined);
  }
}

function compileEngine(pattern: string): RE2JS {
  try {
    return re2().compile(`^(?s:${pattern})$`);
  } catch (error) {
    throw new UserError(
      `error parsing regexp: ${error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : error}`,
    );
  }
}

type Reduced = { literals?: readonly string[]; prefix: string; test(text: string): boolean };

/** The default of relabeling rules, which must not load the engine for nothing. */
const ANYTHING = '(.*)';
const PLAIN = '(?:[^\\\\.+*?()|\\[\\]{}^$]|\\\\[.+*?()|\\[\\]{}^$\\\\\\-/])*';
const ALTERNATIVES = new RegExp(`^(?:\\((?:\\?:)?(${PLAIN}(?:\\|${PLAIN})*)\\)|(${PLAIN}(?:\\|${PLAIN})*))$`);
const AFFIXES = new RegExp(`^(\\.[*+])?(${PLAIN})(\\.[*+])?$`);

/** The engine-free form of a pattern, if it has one. */
function reduce(pattern: string): Reduced | undefined {
  if (pattern === ANYTHING) return { prefix: '', test: () => true };
  const alternatives = ALTERNATIVES.exec(pattern);
  if (alternatives) {
    const literals = [...new Set(splitAlternatives(alternatives[1] ?? alternatives[2] ?? ''))].map(unescapeLiteral);
    if (literals.length === 1) {
      const only = literals[0]!;
      return { literals, prefix: only, test: (text) => text === only };
    }
    const set = new Set(literals);
    return { literals, prefix: '', test: (text) => set.has(text) };
  }
  const affixes = AFFIXES.exec(pattern);
  if (!affixes) return reduceGlobs(pattern);
  const middle = unescapeLiteral(affixes[2] ?? '');
  const before = affixes[1] === undefined ? 0 : affixes[1] === '.+' ? 1 : 0;
  const after = affixes[3] === undefined ? 0 : affixes[3] === '.+' ? 1 : 0;
  const minLength = before + middle.length + after;
  if (middle === '') {
    // ".*", ".+", ".*.+" and the like: only the length decides, in code points.
    return {
      prefix: '',
      test: minLength > 1 ? (text) => [...text].length >= minLength : (text) => text.length >= minLength,
    };
  }
  if (affixes[1] && affixes[3]) {
    return {
      prefix: '',
      test: (text) => {
        const at = text.indexOf(middle, before);
        return at >= 0 && at + middle.length + after <= text.length;
      },
    };
  }
  if (affixes[1]) return { prefix: '', test: (text) => text.length >= minLength && text.endsWith(middle) };
  return { prefix: middle, test: (text) => text.length >= minLength && text.startsWith(middle) };
}

function reduceGlobs(pattern: string): Reduced | undefined {
  const globs = globsOf(pattern);
  if (!globs) return undefined;
  const texts = new Set<string>();
  const others: Glob[] = [];
  for (const glob of globs) {
    const text = literalOf(glob);
    if (text === undefined) others.push(glob);
    else texts.add(text);
  }
  if (others.length === 0) return { literals: [...texts], prefix: '', test: (text) => texts.has(text) };
  return {
    prefix: globs.length === 1 ? prefixOf(globs[0]!) : '',
    test: (text) => texts.has(text) || others.some((glob) => matchesGlob(glob, text)),
  };
}

function splitAlternatives(text: string): string[] {
  const parts: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '|') {
      parts.push(text.slice(start, i));
      start = i + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

function unescapeLiteral(text: string): string {
  return text.replace(/\\(.)/gs, '$1');
}
