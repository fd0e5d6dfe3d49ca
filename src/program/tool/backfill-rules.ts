// `pharos tool tsdb create-blocks-from rules`: what recording rules would have recorded, asked of a server's API and written
// as blocks. As with promtool, alerting rules are passed over and rules do not see what others here give.

import { parseRuleFile, RuleFileError } from '#alert/rules/file.ts';
import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText, OperatingError, UserError } from '#base/errors.ts';
import { systemRandom } from '#base/random.ts';
import type { HttpClient } from '#clients/http/client.ts';
import { hashLabels, type Labels, labelsFrom, METRIC_NAME } from '#model/labels.ts';
import { printExpr } from '#query/parse/print.ts';
import { Backfill } from '#store/backfill.ts';
import { folderBytes } from '#store/block/block.ts';
import { MIN_BLOCK_MS } from '#store/compact/plan.ts';
import { formatBlocks } from '#store/tool/open.ts';
import { parseFloat64 } from '#wire/exposition/number.ts';
import { clientFor, HTTP_FLAGS } from './asking.ts';
import { SUCCESS, toolCommand } from './command.ts';

const DEFAULT_AGE_MS = 3 * 3_600_000;
const TIMEOUT_MS = 2 * 60_000;
const MAX_REPLY_BYTES = 1 << 30;
/** Servers refuse to answer with more points per series. */
const MAX_POINTS = 10_000;

type RecordedRule = {
  readonly record: string;
  readonly expr: string;
  readonly labels: Labels;
  readonly intervalMs: number;
  readonly offsetMs: number;
};

export const createFromRules = toolCommand({
  name: 'tsdb create-blocks-from rules',
  summary: 'Makes blocks of what recording rules give over a past range',
  operands: '<rule file>...',
  flags: {
    ...HTTP_FLAGS,
    'human-readable': { kind: 'boolean', short: 'r', default: false, help: 'Print times and sizes for people.' },
    quiet: { kind: 'boolean', short: 'q', default: false, help: 'Do not print the blocks.' },
    url: { kind: 'text', default: 'http://localhost:9090', help: 'The server whose data the rules are evaluated on.' },
    start: { kind: 'text', help: 'First time, RFC 3339 or seconds since the epoch. Required.' },
    end: { kind: 'text', help: 'Last time; three hours ago if not given.' },
    'output-dir': { kind: 'text', default: 'data/', help: 'Folder for the blocks.' },
    'eval-interval': { kind: 'duration', default: 60_000, help: 'Interval of groups that have none of their own.' },
    'max-block-duration': { kind: 'duration', default: MIN_BLOCK_MS, help: 'The longest block.' },
  },
  run: async (flags, files, streams) => {
    if (flags.start === undefined) throw new UserError('required flag --start not provided');
    if (files.length === 0) throw new UserError("required argument 'rule-files' not provided");
    const now = systemClock.now();
    const start = timeOf('start', flags.start);
    const end = flags.end === undefined ? now - DEFAULT_AGE_MS : timeOf('end', flags.end);
    if (end <= start) throw new UserError('--end must be after --start');
    const folder = flags['output-dir'].replace(/(?<=.)\/+$/, '');
    const rules = files.flatMap((file) => recordingRules(file, flags['eval-interval']));
    nodeDisk.makeFolder(folder);
    const options = { disk: nodeDisk, folder, random: systemRandom, nowMs: now };
    const backfill = new Backfill({ ...options, maxBlockMs: flags['max-block-duration'] });
    const http = clientFor(flags['http.config.file']);
    try {
      for (const rule of rules) {
        for (const range of stepsOf(rule, start, end)) {
          const { warnings, skipped } = await evaluate(http, flags.url, rule, range, backfill);
          for (const warning of warnings) streams.err(`warning: ${rule.record}: ${warning}\n`);
          if (skipped > 0) streams.err(`warning: ${rule.record}: ${skipped} histogram samples are left out\n`);
        }
      }
    } finally {
      http.close();
    }
    const blocks = backfill.finish();
    if (!flags.quiet && blocks.length > 0) {
      const sized = blocks.map((meta) => ({ ...meta, sizeBytes: folderBytes(nodeDisk, `${folder}/${meta.ulid}`) }));
      streams.out(formatBlocks(sized, flags['human-readable']));
    }
    return SUCCESS;
  },
});

/** Milliseconds. */
function timeOf(name: string, text: string): number {
  const seconds = parseFloat64(text);
  const ms = seconds !== undefined ? seconds * 1000 : Date.parse(text);
  if (!Number.isFinite(ms)) throw new UserError(`invalid value ${JSON.stringify(text)} of flag --${name}: no time`);
  return Math.round(ms);
}

function recordingRules(file: string, defaultMs: number): RecordedRule[] {
  let text: string;
  try {
    text = new TextDecoder().decode(nodeDisk.readFile(file));
  } catch (error) {
    throw new UserError(`cannot read rules: ${errorText(error)}`);
  }
  try {
    return parseRuleFile(file, text).groups.flatMap((group) =>
      group.rules.flatMap((rule) =>
        rule.kind === 'recording'
          ? [
              {
                record: rule.name,
                expr: printExpr(rule.expr),
                labels: rule.labels,
                intervalMs: group.intervalMs ?? defaultMs,
                // Where a server evaluates the group: the same times as its own samples later.
                offsetMs: hashLabels(['file', group.file, 'name', group.name]) % (group.intervalMs ?? defaultMs),
              },
            ]
          : [],
      ),
    );
  } catch (error) {
    if (error instanceof RuleFileError) throw new UserError(error.message);
    throw error;
  }
}

/** Ranges that one query can answer, at the slots of the group. */
function* stepsOf(rule: RecordedRule, start: number, end: number): Generator<{ start: number; end: number }> {
  const { intervalMs, offsetMs } = rule;
  let from = Math.ceil((start - offsetMs) / intervalMs) * intervalMs + offsetMs;
  while (from <= end) {
    const last = Math.min(from + (MAX_POINTS - 1) * intervalMs, end);
    yield { start: from, end: last };
    from += MAX_POINTS * intervalMs;
  }
}

type RangeAnswer = {
  readonly status: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly data?: {
    readonly resultType: string;
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly values?: readonly (readonly [number, string])[];
      readonly histograms?: readonly unknown[];
    }[];
  };
};

async function evaluate(
  http: HttpClient,
  url: string,
  rule: RecordedRule,
  range: { readonly start: number; readonly end: number },
  backfill: Backfill,
): Promise<{ readonly warnings: readonly string[]; readonly skipped: number }> {
  const form = new URLSearchParams({
    query: rule.expr,
    start: String(range.start / 1000),
    end: String(range.end / 1000),
    step: String(rule.intervalMs / 1000),
  });
  const reply = await http.call({
    url: `${url.replace(/\/+$/, '')}/api/v1/query_range`,
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
    timeoutMs: TIMEOUT_MS,
    maxBodyBytes: MAX_REPLY_BYTES,
  });
  const failed = (cause: string) => new OperatingError('query', `cannot evaluate ${rule.record} at ${url}: ${cause}`);
  let answer: RangeAnswer;
  try {
    answer = JSON.parse(reply.body.toString('utf8')) as RangeAnswer;
  } catch (error) {
    throw failed(`${reply.status} ${reply.statusText}: ${errorText(error)}`);
  }
  if (answer.status !== 'success' || answer.data?.resultType !== 'matrix') {
    throw failed(answer.error ?? `${reply.status} ${reply.statusText}`);
  }
  let skipped = 0;
  for (const { metric, values = [], histograms = [] } of answer.data.result) {
    // Labels of the rule go over those of the result.
    const labels = labelsFrom([...Object.entries(metric), ...pairsOf(rule.labels), [METRIC_NAME, rule.record]]);
    skipped += histograms.length;
    for (const [time, text] of values) {
      const value = parseFloat64(text);
      if (value === undefined) throw failed(`its answer has the value ${JSON.stringify(text)}`);
      backfill.add(backfill.series(labels), Math.round(time * 1000), value);
    }
  }
  return { warnings: answer.warnings ?? [], skipped };
}

function* pairsOf(labels: Labels): Generator<[string, string]> {
  for (let i = 0; i < labels.length; i += 2) yield [labels[i]!, labels[i + 1]!];
}
