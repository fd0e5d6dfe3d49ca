// Which rules of a group read what others of it write, so that the rest can be evaluated at the same time.

import { METRIC_NAME } from '#model/labels.ts';
import { compileMatcher } from '#model/matcher.ts';
import { selectorsOf } from '#query/parse/ast.ts';
import type { RuleConfig } from './contract.ts';

const outputs = (rule: RuleConfig): readonly string[] =>
  rule.kind === 'recording' ? [rule.name] : ['ALERTS', 'ALERTS_FOR_STATE'];

/** Whether a rule's expression may select what another writes. A selector without a metric's name may select anything. */
export function reads(reader: RuleConfig, writer: RuleConfig): boolean {
  for (const selector of selectorsOf(reader.expr)) {
    const tests = selector.matchers.filter((m) => m.name === METRIC_NAME).map(compileMatcher);
    const alertname = selector.matchers.filter((m) => m.name === 'alertname').map(compileMatcher);
    if (writer.kind === 'alerting' && !alertname.every((test) => test(writer.name))) continue;
    if (outputs(writer).some((name) => tests.every((test) => test(name)))) return true;
  }
  return false;
}

/**
 * Indexes of rules in batches; those of one batch do not depend on each other: first all that read nothing of the group,
 * then one by one those that read and are read, then the rest.
 */
export function batchesOf(rules: readonly RuleConfig[]): readonly (readonly number[])[] {
  const independent: number[] = [];
  const between: number[] = [];
  const last: number[] = [];
  rules.forEach((rule, i) => {
    const dependsOnOthers = rules.some((other) => reads(rule, other));
    if (!dependsOnOthers) independent.push(i);
    else if (rules.some((other) => reads(other, rule))) between.push(i);
    else last.push(i);
  });
  return [independent, ...between.map((i) => [i]), last].filter((batch) => batch.length > 0);
}
