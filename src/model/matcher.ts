// Label matchers: what selects series. The value of an absent label is ''. Regular expressions have RE2 syntax and are
// anchored at both ends; `compileMatcher` reduces them before any engine runs (see base/regex).

import { compileRegex } from '#base/regex/regex.ts';
import { isLegacyLabelName, type Labels, labelValue, quote } from './labels.ts';

export type MatchType = '=' | '!=' | '=~' | '!~';
export type Matcher = { readonly type: MatchType; readonly name: string; readonly value: string };

/** A test of one label value. */
export function compileMatcher(matcher: Matcher): (value: string) => boolean {
  switch (matcher.type) {
    case '=':
      return (value) => value === matcher.value;
    case '!=':
      return (value) => value !== matcher.value;
    case '=~': {
      const regex = compileRegex(matcher.value);
      return (value) => regex.test(value);
    }
    case '!~': {
      const regex = compileRegex(matcher.value);
      return (value) => !regex.test(value);
    }
  }
}

/** A test of whole label sets: every matcher must accept. */
export function compileMatchers(matchers: readonly Matcher[]): (labels: Labels) => boolean {
  const tests = matchers.map((m) => ({ name: m.name, test: compileMatcher(m) }));
  return (labels) => tests.every(({ name, test }) => test(labelValue(labels, name)));
}

export function formatMatcher(matcher: Matcher): string {
  const name = isLegacyLabelName(matcher.name) ? matcher.name : quote(matcher.name);
  return `${name}${matcher.type}${quote(matcher.value)}`;
}
