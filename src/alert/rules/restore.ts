// After a restart pending alerts go on where they were: their start is read back from ALERTS_FOR_STATE, the time of the
// outage does not count, and none fires before a grace period is over.

import { labelsKey, METRIC_NAME } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import type { RawSeries } from '#model/query.ts';
import { isStale } from '#model/value.ts';
import type { AlertingRule } from './alerting.ts';
import type { RuleEngine } from './contract.ts';

export type RestoreOptions = { readonly outageToleranceMs: number; readonly forGracePeriodMs: number };

export async function restoreForState(
  rule: AlertingRule,
  now: number,
  engine: RuleEngine,
  options: RestoreOptions,
): Promise<void> {
  const { forMs } = rule.config;
  if (forMs >= options.forGracePeriodMs) {
    const range = { min: now - options.outageToleranceMs, max: now };
    const byLabels = new Map<string, RawSeries>();
    for (const series of await engine.select(stateMatchers(rule), range)) byLabels.set(stateKey(series), series);
    for (const [key, alert] of rule.active) {
      const series = byLabels.get(key);
      if (!series) continue;
      const last = series.values.length - 1;
      if (last < 0 || isStale(series.values, last)) continue;
      const downAt = Math.floor(series.timestamps[last]! / 1000) * 1000;
      alert.activeAt = restoredStart(series.values[last]! * 1000, downAt, now, forMs, options.forGracePeriodMs);
    }
  }
  rule.restored = true;
}

/** When an alert that waited since `activeAt` until `downAt` counts as started now. */
function restoredStart(activeAt: number, downAt: number, now: number, forMs: number, graceMs: number): number {
  const remaining = forMs - (downAt - activeAt);
  if (remaining <= 0) return activeAt;
  return remaining < graceMs ? now + graceMs - forMs : activeAt + (now - downAt);
}

function stateMatchers(rule: AlertingRule): Matcher[] {
  const matchers: Matcher[] = [{ type: '=', name: METRIC_NAME, value: 'ALERTS_FOR_STATE' }];
  const { labels, name } = rule.config;
  for (let i = 0; i < labels.length; i += 2) {
    // What a template makes of a label differs from alert to alert.
    if (labels[i] === 'alertname' || labels[i + 1]!.includes('{{')) continue;
    matchers.push({ type: '=', name: labels[i]!, value: labels[i + 1]! });
  }
  matchers.push({ type: '=', name: 'alertname', value: name });
  return matchers;
}

function stateKey(series: RawSeries): string {
  const flat: string[] = [];
  for (let i = 0; i < series.labels.length; i += 2) {
    if (series.labels[i] !== METRIC_NAME) flat.push(series.labels[i]!, series.labels[i + 1]!);
  }
  return labelsKey(flat);
}
