// Takes over the data folder of a Prometheus: its blocks are ours already; what is only in its log, its out-of-order log and
// its head chunks becomes blocks of two hours, oldest first, and then these files go. A crash at any moment leaves either
// the log or the blocks made of it, so that starting again loses nothing.

import type { Disk } from '#base/disk/disk.ts';
import { errorCode, errorText } from '#base/errors.ts';
import type { Random } from '#base/random.ts';
import type { Exemplar, Metadata } from '#model/batch.ts';
import { hashLabels, type Labels, labelsKey, labelValue, METRIC_NAME } from '#model/labels.ts';
import { type BlockMeta, readMeta } from '../block/meta.ts';
import { PARTS_FOLDER, writePart } from '../block/part.ts';
import { blockNames } from '../block/set.ts';
import { newUlid } from '../block/ulid.ts';
import { compact } from '../compact/compact.ts';
import { MIN_BLOCK_MS, planHead } from '../compact/plan.ts';
import { SeriesCollector } from './collector.ts';
import { readHeadChunks } from './head-chunks.ts';
import { type LogProblem, logFiles, readLog } from './log-reader.ts';
import { type RecordSink, readRecord } from './records.ts';

const LOG = 'wal';
const OUT_OF_ORDER_LOG = 'wbl';
const HEAD_CHUNKS = 'chunks_head';
/** The log after its samples have become blocks, until it is removed. */
const FINISHED_LOG = 'wal.taken-over';

const MAX_EXEMPLARS = 100_000;
/** What one pass over the log collects at most: this bounds the memory that it takes. */
const SERIES_PER_PASS = 200_000;
const SAMPLES_PER_PASS = 40_000_000;

export type Takeover = {
  /** Blocks made from the log, in order of time. */
  readonly blocks: readonly BlockMeta[];
  readonly series: number;
  readonly samples: number;
  /** The newest exemplars by series, and what is known of metrics: for the head. */
  readonly exemplars: readonly { readonly labels: Labels; readonly exemplar: Exemplar }[];
  readonly metadata: ReadonlyMap<string, Metadata>;
  readonly problems: readonly LogProblem[];
};

export type TakeoverOptions = {
  readonly random: Random;
  readonly nowMs: number;
  readonly blockMs?: number;
  readonly seriesPerPass?: number;
  readonly samplesPerPass?: number;
  readonly signal?: AbortSignal;
};

/** Whether a folder has a Prometheus log with something in it, or remains of a takeover. */
export function needsTakeover(disk: Disk, folder: string): boolean {
  return (
    logFiles(disk, `${folder}/${LOG}`).some((path) => disk.size(path) > 0) ||
    [FINISHED_LOG, OUT_OF_ORDER_LOG, HEAD_CHUNKS].some((name) => disk.exists(`${folder}/${name}`))
  );
}

export function takeOver(disk: Disk, folder: string, options: TakeoverOptions): Takeover {
  const problems: LogProblem[] = [];
  const survey = surveyLogs(disk, folder, options, problems);
  const blocks: BlockMeta[] = [];
  let samples = 0;
  const partsFolder = `${folder}/${PARTS_FOLDER}`;
  disk.remove(partsFolder);
  for (const batch of batchesOf(survey, options)) {
    const parts = new Map<number, string[]>();
    disk.makeFolder(partsFolder);
    for (let slice = 0; slice < survey.slices; slice++) {
      options.signal?.throwIfAborted();
      const collector = collect(disk, folder, survey, slice, batch);
      for (const start of batch) {
        const path = `${partsFolder}/takeover-${start}-${slice}`;
        const range = { min: start, max: start + survey.blockMs - 1 };
        const steps = writePart(disk, path, collector.source(range), range);
        while (!steps.next().done) options.signal?.throwIfAborted();
        parts.set(start, [...(parts.get(start) ?? []), path]);
      }
    }
    for (const start of batch) {
      const last = survey.ranges.get(start)!.maxTime;
      const ulid = newUlid(options.nowMs + blocks.length, options.random);
      const plan = planHead(folder, ulid, parts.get(start)!, { minTime: start, maxTime: last + 1 });
      const { block } = compact(plan, disk, options.signal);
      if (!block) continue;
      blocks.push(block);
      samples += block.stats.numSamples ?? 0;
    }
  }
  finish(disk, folder);
  const { exemplars, metadata } = survey;
  return { blocks, series: survey.series, samples, exemplars, metadata, problems };
}

/** From here on the blocks speak for the log. */
function finish(disk: Disk, folder: string): void {
  disk.remove(`${folder}/${PARTS_FOLDER}`);
  if (disk.exists(`${folder}/${LOG}`)) {
    disk.remove(`${folder}/${FINISHED_LOG}`);
    disk.rename(`${folder}/${LOG}`, `${folder}/${FINISHED_LOG}`);
    disk.syncFolder(folder);
  }
  for (const { name } of disk.list(folder)) {
    if ([OUT_OF_ORDER_LOG, HEAD_CHUNKS, FINISHED_LOG].includes(name) || name.startsWith('chunk_snapshot.')) {
      disk.remove(`${folder}/${name}`);
    }
  }
  // Prometheus' tools expect the folder, even an empty one.
  disk.makeFolder(`${folder}/${LOG}`);
}

type Survey = {
  readonly blockMs: number;
  /** In-order samples before this are in blocks, or deleted from them. */
  readonly validFrom: number;
  /** By the start of their stretch of time. */
  readonly ranges: ReadonlyMap<number, { samples: number; maxTime: number }>;
  readonly series: number;
  readonly slices: number;
  readonly exemplars: Takeover['exemplars'];
  readonly metadata: Takeover['metadata'];
};

/** The first pass: what there is, so that the others can be cut to size. */
function surveyLogs(disk: Disk, folder: string, options: TakeoverOptions, problems: LogProblem[]): Survey {
  const blockMs = options.blockMs ?? MIN_BLOCK_MS;
  const ranges = new Map<number, { samples: number; maxTime: number }>();
  const labelsOf = new Map<number, Labels>();
  const distinct = new Set<string>();
  const exemplars: { labels: Labels; exemplar: Exemplar }[] = [];
  const metadata = new Map<string, Metadata>();
  const validFrom = inOrderEnd(disk, folder);
  const count = (time: number, samples: number, isInOrder: boolean) => {
    if (isInOrder && time < validFrom) return;
    const start = Math.floor(time / blockMs) * blockMs;
    const range = ranges.get(start);
    if (!range) ranges.set(start, { samples, maxTime: time });
    else {
      range.samples += samples;
      range.maxTime = Math.max(range.maxTime, time);
    }
  };
  const sink = (isInOrder: boolean): RecordSink => ({
    series(ref, labels) {
      labelsOf.set(ref, labels);
      distinct.add(labelsKey(labels));
    },
    sample: (_, time) => count(time, 1, isInOrder),
    histogram: (_, time) => count(time, 1, isInOrder),
    exemplar(ref, timestamp, value, labels) {
      const series = labelsOf.get(ref);
      if (!series) return;
      exemplars.push({ labels: series, exemplar: { labels, value, timestamp } });
      if (exemplars.length >= MAX_EXEMPLARS * 2) exemplars.splice(0, MAX_EXEMPLARS);
    },
    metadata(ref, type, unit, help) {
      const name = labelValue(labelsOf.get(ref) ?? [], METRIC_NAME);
      if (name !== '') metadata.set(name, { type, unit, help });
    },
  });
  const report = (problem: LogProblem) => problems.push(problem);
  walk(disk, `${folder}/${LOG}`, sink(true), report);
  walk(disk, `${folder}/${OUT_OF_ORDER_LOG}`, sink(false), report);
  for (const { ref, outOfOrder, chunk } of readHeadChunks(disk, `${folder}/${HEAD_CHUNKS}`, report)) {
    if (!labelsOf.has(ref)) continue;
    // A chunk may touch two stretches; both must be there to take its samples.
    count(chunk.minTime, 0, !outOfOrder);
    count(chunk.maxTime, 0, !outOfOrder);
  }
  return {
    blockMs,
    validFrom,
    ranges,
    series: distinct.size,
    slices: Math.max(1, Math.ceil(distinct.size / (options.seriesPerPass ?? SERIES_PER_PASS))),
    exemplars: exemplars.slice(-MAX_EXEMPLARS),
    metadata,
  };
}

/** Where the blocks that were cut from a head end, as Prometheus reckons it. */
function inOrderEnd(disk: Disk, folder: string): number {
  let end = -Infinity;
  for (const name of blockNames(disk, folder)) {
    try {
      const { maxTime, compaction } = readMeta(disk, `${folder}/${name}`);
      if (!compaction.hints?.some((hint) => hint.startsWith('from-'))) end = Math.max(end, maxTime);
    } catch (error) {
      // A block that cannot be read cannot stand in for the log: its samples are taken from there.
      if (errorCode(error) !== 'corrupt') throw error;
    }
  }
  return end;
}

function walk(disk: Disk, folder: string, sink: RecordSink, report: (problem: LogProblem) => void): void {
  for (const record of readLog(disk, logFiles(disk, folder), report)) {
    try {
      readRecord(record, sink);
    } catch (error) {
      if (errorCode(error) !== 'corrupt') throw error;
      report({ file: folder, offset: 0, reason: errorText(error) });
    }
  }
}

/** Stretches of time that one set of passes collects together, oldest first. */
function batchesOf(survey: Survey, options: TakeoverOptions): number[][] {
  const limit = (options.samplesPerPass ?? SAMPLES_PER_PASS) * survey.slices;
  const batches: number[][] = [];
  let samples = Infinity;
  for (const start of [...survey.ranges.keys()].sort((a, b) => a - b)) {
    const more = survey.ranges.get(start)!.samples;
    if (samples + more > limit) {
      batches.push([]);
      samples = 0;
    }
    batches.at(-1)!.push(start);
    samples += more;
  }
  return batches;
}

/** One pass: the samples of a share of the series within a batch. */
function collect(disk: Disk, folder: string, survey: Survey, slice: number, batch: readonly number[]): SeriesCollector {
  const range = { min: batch[0]!, max: batch.at(-1)! + survey.blockMs - 1 };
  const collector = new SeriesCollector(range, survey.validFrom);
  // Problems have been reported by the first pass.
  const silent = () => {};
  const isOwn = (labels: Labels) => survey.slices === 1 || hashLabels(labels) % survey.slices === slice;
  walk(disk, `${folder}/${LOG}`, { series: (ref, labels) => isOwn(labels) && collector.add(ref, labels) }, silent);
  for (const { ref, outOfOrder, chunk } of readHeadChunks(disk, `${folder}/${HEAD_CHUNKS}`, silent)) {
    collector.chunk(ref, outOfOrder, chunk);
  }
  walk(disk, `${folder}/${LOG}`, collector.inOrder, silent);
  walk(disk, `${folder}/${OUT_OF_ORDER_LOG}`, collector.outOfOrder, silent);
  return collector;
}
