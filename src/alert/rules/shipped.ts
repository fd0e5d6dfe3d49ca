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

/** Links to runbooks, which the files give relative to the package, below `base`. */
export function linkRunbooks(groups: readonly GroupConfig[], base: string): GroupConfig[] {
  return groups.map((group) => ({
    ...group,
    rules: group.rules.map((rule) => {
      if (rule.kind !== 'alerting') return rule;
      const annotations = rule.annotations.map((text, i) =>
        i % 2 === 1 && rule.annotations[i - 1] === 'runbook_url' && text.startsWith('docs/')
          ? `${base.replace(/\/$/, '')}/${text.slice('docs/'.length)}`
          : text,
      );
      return { ...rule, annotations };
    }),
  }));
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
