// Inhibition: while an alert matches a rule's source side, alerts on its target side with equal values of the named labels
// are muted. An alert that matches both sides is not muted by another such one, so that alerts cannot mute each other.

import { type Labels, labelValue } from '#model/labels.ts';
import { compileMatchers, type Matcher } from '#model/matcher.ts';
import { isResolved, type KnownAlert } from '../store.ts';

export type InhibitSpec = {
  readonly name: string;
  readonly source: readonly Matcher[];
  readonly target: readonly Matcher[];
  readonly equal: readonly string[];
};

type Rule = {
  readonly spec: InhibitSpec;
  readonly isSource: (labels: Labels) => boolean;
  readonly isTarget: (labels: Labels) => boolean;
  /** Source alerts by the values of the equal labels; an absent label counts as empty. */
  readonly sources: Map<string, Map<string, KnownAlert>>;
};

export class Inhibitor {
  readonly #rules: readonly Rule[];

  constructor(specs: readonly InhibitSpec[]) {
    this.#rules = specs.map((spec) => ({
      spec,
      isSource: compileMatchers(spec.source),
      isTarget: compileMatchers(spec.target),
      sources: new Map(),
    }));
  }

  update(alert: KnownAlert): void {
    for (const rule of this.#rules) {
      if (!rule.isSource(alert.labels)) continue;
      const key = equalKey(rule.spec, alert.labels);
      let sources = rule.sources.get(key);
      if (!sources) {
        sources = new Map();
        rule.sources.set(key, sources);
      }
      sources.set(alert.fingerprint, alert);
    }
  }

  /** Forgets source alerts that are resolved. */
  collect(now: number): void {
    for (const { sources } of this.#rules) {
      for (const [key, alerts] of sources) {
        for (const [id, alert] of alerts) if (isResolved(alert, now)) alerts.delete(id);
        if (alerts.size === 0) sources.delete(key);
      }
    }
  }

  /** Fingerprint of an alert that mutes these labels, with the rule's name; undefined when nothing does. */
  mutes(labels: Labels, now: number): { readonly by: string; readonly rule: InhibitSpec } | undefined {
    for (const rule of this.#rules) {
      if (!rule.isTarget(labels)) continue;
      const isBothSides = rule.isSource(labels);
      for (const source of rule.sources.get(equalKey(rule.spec, labels))?.values() ?? []) {
        if (isResolved(source, now)) continue;
        if (isBothSides && rule.isTarget(source.labels)) continue;
        return { by: source.fingerprint, rule: rule.spec };
      }
    }
    return undefined;
  }
}

const equalKey = (spec: InhibitSpec, labels: Labels): string =>
  spec.equal.map((name) => labelValue(labels, name)).join('\xff');
