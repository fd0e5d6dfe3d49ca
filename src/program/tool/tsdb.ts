// `pharos tool tsdb`: looking into a data folder, and getting samples into blocks and out of them, as promtool's commands
// of the same names do; export, import and verify are ours.

import { systemClock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText, UserError } from '#base/errors.ts';
import { Progress } from '#base/progress.ts';
import { systemRandom } from '#base/random.ts';
import { parseSelector } from '#query/parse/parser.ts';
import { backfillOpenMetrics } from '#store/backfill.ts';
import { folderBytes } from '#store/block/block.ts';
import type { BlockMeta } from '#store/block/meta.ts';
import { blockNames } from '#store/block/set.ts';
import { MIN_BLOCK_MS } from '#store/compact/plan.ts';
import { importBlocks, verifyBlock } from '#store/snapshot.ts';
import { needsTakeover } from '#store/takeover/takeover.ts';
import { analyzeBlock } from '#store/tool/analyze.ts';
import { dump } from '#store/tool/dump.ts';
import { exportBlocks } from '#store/tool/export.ts';
import { formatBlocks, listBlocks } from '#store/tool/open.ts';
import { createFromRules } from './backfill-rules.ts';
import { FAILURE, type Streams, SUCCESS, type ToolCommand, toolCommand } from './command.ts';

/** Smaller files are read before anybody wonders how far it is. */
const PROGRESS_BYTES = 64 * 1024 * 1024;

const DEFAULT_FOLDER = 'data/';
const EVER = { min: -(2 ** 52), max: 2 ** 52 };

const RANGE_FLAGS = {
  'min-time': { kind: 'number', default: EVER.min, help: 'First time, milliseconds since the epoch.' },
  'max-time': { kind: 'number', default: EVER.max, help: 'Last time, milliseconds since the epoch.' },
  match: { kind: 'texts', help: 'Series selector; may be given several times. All series without one.' },
} as const;

const SANDBOX_FLAG = {
  'sandbox-dir-root': {
    kind: 'text',
    default: '',
    hidden: true,
    help: 'Accepted so that command lines of promtool can stay as they are; only blocks are read, nothing is written.',
  },
} as const;
const FORMAT_FLAG = {
  format: {
    kind: 'text',
    default: 'prom',
    values: ['prom', 'seriesjson'],
    help: 'What to print: samples (prom) or only series, as JSON (seriesjson).',
  },
} as const;

const HUMAN_FLAG = {
  'human-readable': { kind: 'boolean', short: 'r', default: false, help: 'Print times and sizes for people.' },
} as const;

const folderOf = (operand: string | undefined): string => (operand ?? DEFAULT_FOLDER).replace(/(?<=.)\/+$/, '');

function needed(operands: readonly string[], index: number, what: string): string {
  const operand = operands[index];
  if (operand === undefined) throw new UserError(`required argument ${what} not provided`);
  return operand;
}

/** Blocks do not hold what is still in a log. */
function warnOfLog(folder: string, streams: Streams): void {
  const holdsLog = nodeDisk.exists(`${folder}/log`) || needsTakeover(nodeDisk, folder);
  if (holdsLog) streams.err(`note: ${folder} has a log, whose samples are not shown; a snapshot has them as a block\n`);
}

const table = (folder: string, blocks: readonly BlockMeta[], isHumanReadable: boolean): string =>
  formatBlocks(
    blocks.map((meta) => ({ ...meta, sizeBytes: folderBytes(nodeDisk, `${folder}/${meta.ulid}`) })),
    isHumanReadable,
  );

const list = toolCommand({
  name: 'tsdb list',
  summary: 'Lists the blocks of a data folder',
  operands: '[folder]',
  flags: HUMAN_FLAG,
  run: async (flags, [folder], streams) => {
    streams.out(listBlocks(nodeDisk, folderOf(folder), flags['human-readable']));
    return SUCCESS;
  },
});

const analyze = toolCommand({
  name: 'tsdb analyze',
  summary: 'Shows churn, cardinality and compaction efficiency of a block',
  operands: '[folder] [block]',
  flags: {
    limit: { kind: 'integer', default: 20, min: 1, help: 'How many entries each list has.' },
    extended: { kind: 'boolean', default: false, help: 'Look into the chunks as well.' },
    match: { kind: 'text', default: '', help: 'Series selector. All series without one.' },
  },
  run: async ({ limit, extended, match }, [folder, block], streams) => {
    const matchers = match === '' ? [] : parseSelector(match);
    const options = { limit, extended, matchers, ...(block === undefined ? {} : { block }) };
    streams.out(analyzeBlock(nodeDisk, folderOf(folder), options));
    return SUCCESS;
  },
});

const dumping = (name: string, summary: string, format: 'lines' | 'openmetrics'): ToolCommand =>
  toolCommand({
    name,
    summary,
    operands: '[folder]',
    flags: { ...RANGE_FLAGS, ...SANDBOX_FLAG, ...(format === 'lines' ? FORMAT_FLAG : {}) },
    run: async (flags, [operand], streams) => {
      const folder = folderOf(operand);
      warnOfLog(folder, streams);
      const range = { min: flags['min-time'], max: flags['max-time'] };
      const matchers = flags.match.map((selector) => parseSelector(selector));
      const written = 'format' in flags && flags.format === 'seriesjson' ? 'seriesjson' : format;
      for (const lines of dump(nodeDisk, folder, { range, matchers, format: written })) {
        streams.out(lines);
        await streams.drained?.();
      }
      return SUCCESS;
    },
  });

const create = toolCommand({
  name: 'tsdb create-blocks-from openmetrics',
  summary: 'Makes blocks of the samples in an OpenMetrics file',
  operands: '<file> [output folder]',
  flags: {
    ...HUMAN_FLAG,
    quiet: { kind: 'boolean', short: 'q', default: false, help: 'Do not print the blocks.' },
    'max-block-duration': { kind: 'duration', default: MIN_BLOCK_MS, help: 'The longest block.' },
    label: { kind: 'texts', help: 'A label for every series, as name=value; may be given several times.' },
  },
  run: async (flags, operands, streams) => {
    const input = needed(operands, 0, "'input file'");
    const folder = folderOf(operands[1]);
    const labels = flags.label.map((text) => {
      const at = text.indexOf('=');
      if (at < 1) throw new UserError(`invalid value ${JSON.stringify(text)} of flag --label: expected name=value`);
      return [text.slice(0, at), text.slice(at + 1)] as const;
    });
    nodeDisk.makeFolder(folder);
    const options = {
      disk: nodeDisk,
      folder,
      random: systemRandom,
      nowMs: systemClock.now(),
      maxBlockMs: flags['max-block-duration'],
    };
    const size = nodeDisk.exists(input) ? nodeDisk.size(input) : 0;
    const sink = { isTerminal: process.stderr.isTTY === true, write: streams.err };
    const progress = new Progress(`reading ${input}`, 'bytes', size, systemClock, sink);
    const onBytes = (count: number) => progress.add(count);
    const blocks = backfillOpenMetrics(input, { ...options, onBytes }, Object.fromEntries(labels));
    if (!flags.quiet && size > PROGRESS_BYTES) progress.end();
    if (!flags.quiet && blocks.length > 0) streams.out(table(folder, blocks, flags['human-readable']));
    return SUCCESS;
  },
});

const exporting = toolCommand({
  name: 'tsdb export',
  summary: 'Copies a range of time and series as blocks into an empty folder',
  operands: '<folder> <output folder>',
  flags: {
    ...RANGE_FLAGS,
    ...HUMAN_FLAG,
    'max-block-duration': { kind: 'duration', default: 12 * MIN_BLOCK_MS, help: 'The longest block.' },
  },
  run: async (flags, operands, streams) => {
    const from = folderOf(needed(operands, 0, "'folder'"));
    const into = folderOf(needed(operands, 1, "'output folder'"));
    warnOfLog(from, streams);
    const blocks = exportBlocks(nodeDisk, from, into, {
      range: { min: flags['min-time'], max: flags['max-time'] },
      matchers: flags.match.map((selector) => parseSelector(selector)),
      blockMs: flags['max-block-duration'],
      random: systemRandom,
      nowMs: systemClock.now(),
    });
    streams.out(table(into, blocks, flags['human-readable']));
    return SUCCESS;
  },
});

const importing = toolCommand({
  name: 'tsdb import',
  summary: 'Takes the blocks of another folder into a data folder, also of a running server',
  operands: '<folder with blocks> <data folder>',
  flags: HUMAN_FLAG,
  run: async (flags, operands, streams) => {
    const from = folderOf(needed(operands, 0, "'folder with blocks'"));
    const into = folderOf(needed(operands, 1, "'data folder'"));
    nodeDisk.makeFolder(into);
    const blocks = importBlocks(nodeDisk, from, into, { nowMs: systemClock.now(), random: systemRandom });
    streams.out(table(into, blocks, flags['human-readable']));
    return SUCCESS;
  },
});

const verify = toolCommand({
  name: 'tsdb verify',
  summary: 'Reads every byte of the blocks and checks every checksum',
  operands: '[folder]',
  flags: {},
  run: async (_, [operand], streams) => {
    const folder = folderOf(operand);
    let isWhole = true;
    for (const name of blockNames(nodeDisk, folder)) {
      try {
        const { series, chunks, samples } = verifyBlock(nodeDisk, `${folder}/${name}`);
        streams.out(`${name}: ${series} series, ${chunks} chunks, ${samples} samples\n`);
      } catch (error) {
        isWhole = false;
        streams.err(`${name}: ${errorText(error)}\n`);
      }
    }
    return isWhole ? SUCCESS : FAILURE;
  },
});

export const TSDB_COMMANDS: readonly ToolCommand[] = [
  list,
  analyze,
  dumping('tsdb dump', 'Prints every sample', 'lines'),
  dumping('tsdb dump-openmetrics', 'Prints every float sample as OpenMetrics', 'openmetrics'),
  create,
  createFromRules,
  exporting,
  importing,
  verify,
];
