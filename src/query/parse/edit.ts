// Changes to the matchers of all selectors in an expression.

import type { Matcher } from '#model/matcher.ts';
import { type Expr, selectorsOf } from './ast.ts';

/** Gives every selector this matcher, in place of those it has for the same label. */
export function setMatcher(expr: Expr, matcher: Matcher): void {
  for (const selector of selectorsOf(expr)) {
    const has = selector.matchers.some(({ name }) => name === matcher.name);
    selector.matchers = has
      ? selector.matchers.map((other) => (other.name === matcher.name ? matcher : other))
      : [...selector.matchers, matcher];
  }
}

/** Adds a matcher to every selector, beside those it has. */
export function addMatcher(expr: Expr, matcher: Matcher): void {
  for (const selector of selectorsOf(expr)) selector.matchers = [...selector.matchers, matcher];
}

/** Takes the matchers of a label away. */
export function deleteMatchers(expr: Expr, label: string): void {
  for (const selector of selectorsOf(expr)) {
    selector.matchers = selector.matchers.filter(({ name }) => name !== label);
  }
}
