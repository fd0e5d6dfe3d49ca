// Include and exclude patterns of exporter flags: RE2 syntax, unanchored unless the pattern says otherwise, with the answers for
// names already seen kept (device names repeat in every scrape).

import type { RE2JS } from 're2js';
import { UserError } from '#base/errors.ts';
import { re2 } from '#base/regex/engine.ts';

const MAX_REMEMBERED = 4096;

/** A test for "the pattern occurs in the text". */
export function compileSearch(pattern: string, flag: string): (text: string) => boolean {
  let engine: RE2JS;
  try {
    engine = re2().compile(pattern);
  } catch (error) {
    throw new UserError(`cannot use --${flag}: ${error instanceof Error ? error.message : error}`);
  }
  const seen = new Map<string, boolean>();
  return (text) => {
    let found = seen.get(text);
    if (found === undefined) {
      found = engine.matcher(text).find();
      if (seen.size >= MAX_REMEMBERED) seen.clear();
      seen.set(text, found);
    }
    return found;
  };
}

/** Whether a device is left out: by the exclude pattern, or by not matching the include pattern. '' is no pattern. */
export function compileFilter(exclude: string, include: string, flag: string): (name: string) => boolean {
  if (exclude !== '' && include !== '')
    throw new UserError(`--${flag}-exclude and --${flag}-include are mutually exclusive`);
  const excluded = exclude === '' ? undefined : compileSearch(exclude, `${flag}-exclude`);
  const included = include === '' ? undefined : compileSearch(include, `${flag}-include`);
  return (name) => (excluded?.(name) ?? false) || (included !== undefined && !included(name));
}
