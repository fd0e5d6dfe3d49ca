// What a group's recording rules would have given over a past range, stored at the slots at which they would have run. The
// store takes it where it takes old samples: within its out-of-order window.

import { OperatingError } from '#base/errors.ts';
import type { Appender } from '#model/batch.ts';
import type { TimeRange } from '#model/query.ts';
import type { RuleGroup } from './group.ts';
import { RecordingRule } from './recording.ts';
import { appendRows } from './rows.ts';

/** The most evaluations that one request may ask for. */
export const MAX_STEPS = 20_000;

export type Backfilled = { readonly samples: number; readonly refused: number };

/** Rules see what those before them in the group have stored. */
export async function backfill(group: RuleGroup, range: TimeRange, appender: Appender): Promise<Backfilled> {
  const first = group.slotBefore(range.min + group.intervalMs - 1);
  const steps = Math.floor((range.max - first) / group.intervalMs) + 1;
  if (steps > MAX_STEPS) {
    throw new OperatingError('limit', `${steps} evaluations are more than ${MAX_STEPS}; ask for a shorter range`);
  }
  let samples = 0;
  let refused = 0;
  let reason = '';
  for (const { rule, known } of group.entries) {
    if (!(rule instanceof RecordingRule)) continue;
    const origin = { file: group.config.file, group: group.config.name, rule: rule.config.name };
    for (let step = 0; step < steps; step++) {
      const time = first + step * group.intervalMs;
      const rows = await rule.evaluate(time, group.queryOffsetMs, group.config.limit, origin);
      const problems = await appendRows(appender, rows, known);
      const lost = problems.filter((problem) => problem.reason !== 'duplicate');
      samples += rows.length - problems.length;
      refused += lost.length;
      reason ||= lost[0]?.reason ?? '';
    }
  }
  if (samples === 0 && refused > 0) {
    const advice = 'storage.tsdb.out_of_order_time_window in the configuration must reach back that far';
    throw new OperatingError('refused', `the store refused all ${refused} samples (${reason}): ${advice}`);
  }
  return { samples, refused };
}
