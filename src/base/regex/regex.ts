// RE2 regular expressions, anchored at both ends as everywhere in Prometheus, `.` matching newlines. A pattern is first
// reduced to what needs no engine (literal, set of literals, prefix, suffix, contains); only the rest runs in RE2JS, whose time is linear
// in its input, so that no pattern can hang the program.

import { RE2JS } from 're2js';
import { UserError } from '../errors.ts';

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
  let engine: RE2JS;
  try {
    engine = RE2JS.compile(`^(?s:${pattern})$`);
  } catch (error) {
    throw new UserError(
      `error parsing regexp: ${error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : error}`,
    );
  }
  const reduced = reduce(pattern);
  return {
    pattern,
    literals: reduced?.literals,
    prefix: reduced?.prefix ?? '',
    groupNames: engine.namedGroups() as Record<string, number>,
    test: reduced?.test ?? ((text) => engine.matches(text)),
    match(text) {
      const matcher = engine.matcher(text);
      if (!matcher.matches()) return undefined;
      return Array.from({ length: matcher.groupCount() + 1 }, (_, group) => matcher.group(group) ?? undefined);
    },
  };
}

type Reduced = { literals?: readonly string[]; prefix: string; test(text: string): boolean };

const PLAIN = '(?:[^\\\\.+*?()|\\[\\]{}^$]|\\\\[.+*?()|\\[\\]{}^$\\\\\\-/])*';
const ALTERNATIVES = new RegExp(`^(?:\\((?:\\?:)?(${PLAIN}(?:\\|${PLAIN})*)\\)|(${PLAIN}(?:\\|${PLAIN})*))$`);
const AFFIXES = new RegExp(`^(\\.[*+])?(${PLAIN})(\\.[*+])?$`);

/** The engine-free form of a pattern, if it has one. */
function reduce(pattern: string): Reduced | undefined {
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
  if (!affixes) return undefined;
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
