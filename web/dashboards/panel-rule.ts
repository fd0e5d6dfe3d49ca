// The alerting rule that a panel suggests: its first query above its highest threshold, with the way back to the panel.

import type { Panel } from '../../src/view/model.ts';
import type { RuleDraft } from '../alerting/rule-form.tsx';

/** Groups of panels' alerts are kept under this namespace, one group per dashboard. */
const NAMESPACE = 'dashboards';

export function ruleOfPanel(
  panel: Panel,
  title: string,
  expr: string,
  dashboardUid: string,
  dashboardUrl: string,
): RuleDraft {
  const steps = (panel.field?.thresholds?.steps ?? []).filter((step) => step.value !== null);
  const last = steps.at(-1);
  const words = title
    .replace(/[^\p{L}\p{N}]+(.)?/gu, (_, next: string | undefined) => (next ?? '').toUpperCase())
    .replace(/^[^\p{L}]+/u, '');
  const name = words === '' ? `Panel${panel.id}` : words;
  return {
    namespace: NAMESPACE,
    group: dashboardUid,
    rule: {
      alert: name.charAt(0).toUpperCase() + name.slice(1),
      expr: last ? `(${expr}) > ${last.value}` : expr,
      for: '5m',
      labels: { severity: 'warning' },
      annotations: {
        summary: `${title || name}: {{ $value }}`,
        dashboard: `${dashboardUrl}?viewPanel=${panel.id}`,
      },
    },
  };
}
