// From the labels on a page to the labels that are stored: target labels with honor_labels, metric relabeling, then the
// checks that fail a whole scrape: names, label limits.

import {
  compareText,
  formatLabels,
  isLegacyLabelName,
  isLegacyMetricName,
  keepLabels,
  type Labels,
  labelValue,
  METRIC_NAME,
  withLabel,
} from '#model/labels.ts';
import { compileRules } from '../relabel/relabel.ts';
import type { JobSpec, ScrapeLimits } from './spec.ts';

/** A label limit was exceeded; counted apart from other failures. */
export class LabelLimitError extends Error {}

export type Admit = {
  /** Undefined: relabeling drops the series. Throws when the scrape must fail. */
  readonly labels: (exposed: Labels, target: Labels, emptyNames?: readonly string[]) => Labels | undefined;
  /** Nothing is refused or changed: the labels of the page and the target's together, as long as they have no name in common. */
  readonly isPlain: boolean;
};

/** What of a job decides. */
export type AdmitRules = Pick<JobSpec, 'honorLabels' | 'metricRelabelRules' | 'nameValidation'> & {
  readonly limits: Pick<ScrapeLimits, 'labels' | 'labelNameLength' | 'labelValueLength'>;
};

export function createAdmit(job: AdmitRules): Admit {
  const relabel = job.metricRelabelRules.length > 0 ? compileRules(job.metricRelabelRules) : (labels: Labels) => labels;
  const join = job.honorLabels ? joinHonoring : joinOverriding;
  const { labels: count, labelNameLength, labelValueLength } = job.limits;
  return {
    isPlain: job.metricRelabelRules.length === 0 && count === 0 && labelNameLength === 0 && labelValueLength === 0,
    labels: (exposed, target, emptyNames = []) => {
      const labels = relabel(join(exposed, target, emptyNames));
      if (labels === undefined || labels.length === 0) return undefined;
      checkNames(labels, job);
      checkLimits(labels, job);
      return labels;
    },
  };
}

/** Both label sets are sorted; where both have a name, `exposed` wins. */
function joinHonoring(exposed: Labels, target: Labels, emptyNames: readonly string[]): Labels {
  // A page that says instance="", as a push gateway does, says that the series has none.
  const given = emptyNames.length === 0 ? target : keepLabels(target, (name) => !emptyNames.includes(name));
  return merge(exposed, given, undefined);
}

function joinOverriding(exposed: Labels, target: Labels): Labels {
  const conflicts: [string, string][] = [];
  let labels = merge(target, exposed, conflicts);
  if (conflicts.length === 0) return labels;
  conflicts.sort((a, b) => a[0].length - b[0].length);
  for (const [name, value] of conflicts) {
    let renamed = `exported_${name}`;
    while (labelValue(labels, renamed) !== '') renamed = `exported_${renamed}`;
    labels = withLabel(labels, renamed, value);
  }
  return labels;
}

/** Two sorted label sets as one; of equal names the first set's stays, the second's goes to `lost`. */
function merge(first: Labels, second: Labels, lost: [string, string][] | undefined): Labels {
  const merged: string[] = [];
  let [a, b] = [0, 0];
  while (a < first.length || b < second.length) {
    const order = a === first.length ? 1 : b === second.length ? -1 : compareText(first[a]!, second[b]!);
    if (order <= 0) merged.push(first[a]!, first[a + 1]!);
    else merged.push(second[b]!, second[b + 1]!);
    if (order === 0) lost?.push([second[b]!, second[b + 1]!]);
    if (order <= 0) a += 2;
    if (order >= 0) b += 2;
  }
  return merged;
}

function checkNames(labels: Labels, job: AdmitRules): void {
  const metric = labelValue(labels, METRIC_NAME);
  if (metric === '') throw new Error('missing metric name (__name__ label)');
  if (job.nameValidation === 'utf8') return;
  let valid = isLegacyMetricName(metric);
  for (let i = 0; valid && i < labels.length; i += 2) valid = isLegacyLabelName(labels[i]!);
  if (!valid) throw new Error(`invalid metric name or label names: ${formatLabels(labels)}`);
}

function checkLimits(labels: Labels, job: AdmitRules): void {
  const { labels: count, labelNameLength, labelValueLength } = job.limits;
  if (count === 0 && labelNameLength === 0 && labelValueLength === 0) return;
  const metric = labelValue(labels, METRIC_NAME).slice(0, 50);
  if (count > 0 && labels.length / 2 > count) {
    throw new LabelLimitError(
      `label_limit exceeded (metric: ${metric}, number of labels: ${labels.length / 2}, limit: ${count})`,
    );
  }
  for (let i = 0; i < labels.length; i += 2) {
    const [name, value] = [labels[i]!, labels[i + 1]!];
    if (labelNameLength > 0 && Buffer.byteLength(name) > labelNameLength) {
      throw new LabelLimitError(
        `label_name_length_limit exceeded (metric: ${metric}, label name: ${name.slice(0, 50)}, length: ${Buffer.byteLength(name)}, limit: ${labelNameLength})`,
      );
    }
    if (labelValueLength > 0 && Buffer.byteLength(value) > labelValueLength) {
      throw new LabelLimitError(
        `label_value_length_limit exceeded (metric: ${metric}, label name: ${name.slice(0, 50)}, value: ${JSON.stringify(value.slice(0, 50))}, length: ${Buffer.byteLength(value)}, limit: ${labelValueLength})`,
      );
    }
  }
}
