// The rules that come with the program: those whose metrics exist here are loaded, so that nobody is bothered with rules
// about systems that are not there.

import { METRIC_NAME } from '#model/labels.ts';
import { compileMatcher } from '#model/matcher.ts';
import { selectorsOf } from '#query/parse/ast.ts';
import type { GroupConfig, RuleConfig } from './contract.ts';

/** Groups with the rules all of whose metrics are known; rules without any metric are always kept with their group. */
export function applicable(groups: readonly GroupConfig[], metricNames: ReadonlySet<string>): GroupConfig[] {
  return groups.flatMap((group) => {
    const rules = group.rules.filter((rule) => applies(rule, metricNames));
    return rules.length > 0 ? [{ ...group, rules }] : [];
  });
}

function applies(rule: RuleConfig, metricNames: ReadonlySet<string>): boolean {
  for (const { matchers } of selectorsOf(rule.expr)) {
    const names = matchers.filter((matcher) => matcher.name === METRIC_NAME);
    const exact = names.find((matcher) => matcher.type === '=');
    if (exact) {
      if (!metricNames.has(exact.value)) return false;
      continue;
    }
    const tests = names.map(compileMatcher);
    if (tests.length > 0 && ![...metricNames].some((name) => tests.every((test) => test(name)))) return false;
  }
  return true;
}
