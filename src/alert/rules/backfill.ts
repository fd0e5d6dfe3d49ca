// What a group's recording rules would have given over a past range, stored at the slots at which they would have run: in the
// shards' heads where these take samples so old, in blocks otherwise.

import { OperatingError } from '#base/errors.ts';
import type { Appender, RejectReason } from '#model/batch.ts';
import type { Histogram } from '#model/histogram.ts';
import type { Labels } from '#model/labels.ts';
import type { TimeRange } from '#model/query.ts';
import type { Row } from './contract.ts';
import type { RuleGroup } from './group.ts';
import { RecordingRule } from './recording.ts';
import { appendRows } from './rows.ts';

/** The most evaluations that one request may ask for. */
export const MAX_STEPS = 20_000;

/** Stores samples that are too old to be appended; queries see them when it resolves. */
export type WriteOld = (
  samples: readonly {
    readonly labels: Labels;
    readonly timestamp: number;
    readonly value: number;
    readonly histogram?: Histogram;
  }[],
) => Promise<void>;

const OF_AGE: readonly RejectReason[] = ['tooOld', 'outOfBounds', 'outOfOrder'];
/** So many are held before they are written. */
const MAX_OLD = 500_000;

export type Backfilled = { readonly samples: number; readonly refused: number };

/** Rules see what those before them in the group have stored. */
export async function backfill(
  group: RuleGroup,
  range: TimeRange,
  appender: Appender,
  writeOld: WriteOld,
): Promise<Backfilled> {
  const first = group.slotBefore(range.min + group.intervalMs - 1);
  const steps = Math.floor((range.max - first) / group.intervalMs) + 1;
  if (steps > MAX_STEPS) {
    throw new OperatingError('limit', `${steps} evaluations are more than ${MAX_STEPS}; ask for a shorter range`);
  }
  let samples = 0;
  let refused = 0;
  for (const { rule, known } of group.entries) {
    if (!(rule instanceof RecordingRule)) continue;
    const origin = { file: group.config.file, group: group.config.name, rule: rule.config.name };
    let old: Row[] = [];
    const flush = async () => {
      if (old.length > 0) await writeOld(old.map((row) => ({ ...row, value: row.value ?? 0 })));
      old = [];
    };
    for (let step = 0; step < steps; step++) {
      const time = first + step * group.intervalMs;
      const rows = await rule.evaluate(time, group.queryOffsetMs, group.config.limit, origin);
      const problems = await appendRows(appender, rows, known);
      const tooOld = problems.filter(({ reason }) => OF_AGE.includes(reason)).map(({ row }) => row);
      old.push(...tooOld);
      refused += problems.filter(({ reason }) => reason !== 'duplicate').length - tooOld.length;
      samples += rows.length - problems.length + tooOld.length;
      if (old.length >= MAX_OLD) await flush();
    }
    await flush();
  }
  return { samples, refused };
}
