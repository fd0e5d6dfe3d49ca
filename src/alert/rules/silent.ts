// Rules that never match: a selector that finds no series is most often a misspelled name or a job that is gone, and an
// alert on it never fires. Each rule remembers which of its selectors have found anything.

import { isLegacyMetricName, METRIC_NAME } from '#model/labels.ts';
import { formatMatcher, type Matcher } from '#model/matcher.ts';
import { type Expr, selectorsOf } from '#query/parse/ast.ts';
import type { RuleEngine } from './contract.ts';

/** How far back series are looked for, and how often a rule is looked at. */
const LOOK_BACK_MS = 24 * 3_600_000;
const CHECK_EVERY_MS = 10 * 60_000;

export class SilentSelectors {
  readonly #selectors: Map<string, readonly Matcher[]>;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #checked = false;

  constructor(expr: Expr) {
    this.#selectors = new Map([...selectorsOf(expr)].map(({ matchers }) => [formatSelector(matchers), matchers]));
  }

  /** Selectors that have not matched any series, once that has been looked at. */
  get silent(): readonly string[] {
    return this.#checked ? [...this.#selectors.keys()] : [];
  }

  /** Looks again, unless it did so a moment ago or everything has matched. */
  async check(engine: RuleEngine, now: number): Promise<void> {
    if (this.#selectors.size === 0 || now - this.#checkedAt < CHECK_EVERY_MS) return;
    this.#checkedAt = now;
    for (const [text, matchers] of this.#selectors) {
      if (await engine.exists(matchers, { min: now - LOOK_BACK_MS, max: now })) this.#selectors.delete(text);
    }
    this.#checked = true;
  }

  /** Something came out of the rule's expression, so that there is no reason to worry. */
  matched(): void {
    this.#selectors.clear();
  }
}

function formatSelector(matchers: readonly Matcher[]): string {
  const name = matchers.find((m) => m.name === METRIC_NAME && m.type === '=' && isLegacyMetricName(m.value));
  const rest = matchers.filter((m) => m !== name).map(formatMatcher);
  if (!name) return `{${rest.join(',')}}`;
  return rest.length > 0 ? `${name.value}{${rest.join(',')}}` : name.value;
}
