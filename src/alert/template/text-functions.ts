// Functions on text that the templates of rules and of notifications share: regular expressions with Go's replacement
// syntax, and title case.

import type { RE2JS } from 're2js';
import { re2 } from '#base/regex/engine.ts';

function compile(pattern: string): RE2JS {
  try {
    return re2().compile(pattern);
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^error parsing regexp: /, '') : String(error);
    throw new Error(`error parsing regexp: ${reason}`);
  }
}

/** regexp.MatchString: anywhere in the text. */
export const matchText = (pattern: string, text: string): boolean => compile(pattern).matcher(text).find();

/** ReplaceAllString: `$1`, `${1}`, `$name`, `${name}` stand for groups, `$$` for a dollar. */
export function replaceText(pattern: string, replacement: string, text: string): string {
  const regex = compile(pattern);
  const names = regex.namedGroups() as Record<string, number>;
  const matcher = regex.matcher(text);
  let out = '';
  let at = 0;
  while (matcher.find()) {
    out += text.slice(at, matcher.start());
    at = matcher.end();
    out += replacement.replace(/\$(?:(\$)|\{(\w+)\}|(\w+)|)/g, (_, dollar, braced, bare) => {
      if (dollar) return '$';
      const name: string | undefined = braced ?? bare;
      if (name === undefined) return '$';
      const group = /^\d+$/.test(name) ? Number(name) : names[name];
      if (group === undefined || group > matcher.groupCount()) return '';
      return matcher.group(group) ?? '';
    });
  }
  return out + text.slice(at);
}

/** Upper case for the first letter of each word; `lowerRest` also changes the letters after it. */
export function titleCase(text: string, lowerRest: boolean): string {
  let out = '';
  for (const { segment, isWordLike } of new Intl.Segmenter('en-US', { granularity: 'word' }).segment(text)) {
    if (!isWordLike) {
      out += segment;
      continue;
    }
    const [first = '', ...rest] = [...segment];
    const tail = rest.join('');
    out += first.toUpperCase() + (lowerRest ? tail.toLowerCase() : tail);
  }
  return out;
}
