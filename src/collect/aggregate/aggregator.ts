// Stands before a shard's store (and its remotes) and folds the samples of series that rules select. At the end of each
// interval the shard's folds go to the one shard that adds them up (merger.ts). Series that are not to be kept get numbers
// of the aggregator's own and never reach the store. What is gathered survives a restart.

import type { Clock, Timer } from '#base/clock.ts';
import {
  type Appender,
  type AppendResult,
  type Rejection,
  type SampleBatch,
  type SeriesRef,
  seriesRef,
  slotOfRef,
  withLabelSets,
} from '#model/batch.ts';
import { keepLabels, type Labels, labelsKey, labelValue, METRIC_NAME } from '#model/labels.ts';
import { compileMatchers, type Matcher } from '#model/matcher.ts';
import { isStale } from '#model/value.ts';
import { withoutRows } from '../send/tee.ts';
import { type AggregateRule, OUTPUTS } from './config.ts';
import { type Fold, newFold, observe } from './fold.ts';

/** Folds of one rule and one interval, as a shard hands them on. */
export type Folded = {
  readonly rule: number;
  readonly endMs: number;
  readonly groups: readonly { readonly metric: string; readonly labels: Labels; readonly fold: Fold }[];
};

export type CompiledRule = {
  readonly rule: AggregateRule;
  /** One of them must select a series. */
  readonly matchers: readonly (readonly Matcher[])[];
};

/** What is kept of a series for one rule over a restart. */
export type SavedSeries = {
  readonly rule: number;
  readonly labels: Labels;
  readonly last: number;
  readonly seenAt: number;
};

type Group = { readonly metric: string; readonly labels: Labels; fold: Fold };
/** A series as one rule sees it. `value` is its last sample of this interval, `last` its last sample ever. */
type Part = {
  readonly rule: number;
  readonly group: Group;
  last: number;
  value: number;
  isFresh: boolean;
  /** Forgotten for being idle; entered again when a sample comes. */
  isGone: boolean;
  seenAt: number;
};
type Taken = {
  readonly ref: SeriesRef;
  readonly labels: Labels;
  readonly parts: readonly Part[];
  readonly isKept: boolean;
};

/** Slots of series that the store never sees: the upper half of the numbers. */
const OWN_SLOTS = 2 ** 31;
const MAX_OWN_SERIES = 4_000_000;
/** A series that brings nothing for so many intervals is forgotten; its counter then begins anew. */
const IDLE_INTERVALS = 5;

export class Aggregator implements Appender {
  readonly #inner: Appender;
  readonly #shard: number;
  readonly #clock: Clock;
  readonly #emit: (folded: Folded) => void;
  #rules: readonly (CompiledRule & { readonly test: (labels: Labels) => boolean; readonly sketch: boolean })[] = [];
  #bySlot: (Taken | undefined)[] = [];
  #own = new Map<string, Taken>();
  #ownBySlot: (Taken | undefined)[] = [];
  #groups: Map<string, Group>[] = [];
  #parts: Map<string, Part>[] = [];
  #timers: Timer[] = [];

  constructor(inner: Appender, shard: number, clock: Clock, emit: (folded: Folded) => void) {
    this.#inner = inner;
    this.#shard = shard;
    this.#clock = clock;
    this.#emit = emit;
  }

  /** Replaces the rules; what was gathered for the ones before is given up unless it is in `saved`. */
  setRules(rules: readonly CompiledRule[], saved: readonly SavedSeries[] = []): void {
    for (const timer of this.#timers) timer.cancel();
    this.#rules = rules.map((compiled) => {
      const tests = compiled.matchers.map(compileMatchers);
      return {
        ...compiled,
        test: (labels) => tests.some((test) => test(labels)),
        sketch: compiled.rule.outputs.some(({ kind }) => kind === 'quantiles' || kind === 'histogram'),
      };
    });
    this.#bySlot = [];
    this.#own = new Map();
    this.#ownBySlot = [];
    this.#groups = rules.map(() => new Map());
    this.#parts = rules.map(() => new Map());
    for (const { rule, labels, last, seenAt } of saved) {
      if (rule >= rules.length) continue;
      const part = this.#part(rule, labels);
      part.last = last;
      part.seenAt = seenAt;
    }
    this.#timers = rules.map((_, index) => this.#arm(index));
  }

  /** What has to survive a restart. */
  save(): SavedSeries[] {
    return this.#parts.flatMap((parts, rule) =>
      [...parts].map(([key, { last, seenAt }]) => ({ rule, labels: key.split('\xff'), last, seenAt })),
    );
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
  }

  get readsAtOnce(): boolean {
    return this.#rules.length === 0 && this.#inner.readsAtOnce === true;
  }

  async append(taken: SampleBatch): Promise<AppendResult> {
    if (this.#rules.length === 0) return this.#inner.append(taken);
    const batch = withLabelSets(taken);
    const news = batch.series.map((labels) => this.#meet(labels));
    const find = (ref: SeriesRef) => (ref < 0 ? news[-ref - 1] : this.#find(ref));
    const unknown: Rejection[] = [];
    const dropped: Rejection[] = [];
    const look = (kind: Rejection['kind'], index: number, ref: SeriesRef) => {
      const taken = find(ref);
      if (!taken) unknown.push({ kind, index, reason: 'unknownRef', detail: '' });
      else if (!taken.isKept) dropped.push({ kind, index, reason: 'unknownRef', detail: '' });
    };
    for (let i = 0; i < batch.refs.length; i++) look('sample', i, batch.refs[i]!);
    batch.histograms?.forEach(({ ref }, i) => {
      look('histogram', i, ref);
    });
    batch.exemplars?.forEach(({ ref }, i) => {
      look('exemplar', i, ref);
    });
    const gone = [...unknown, ...dropped];
    const left = gone.length > 0 ? withoutRows(batch, gone) : undefined;
    const result = await this.#forward(left?.batch ?? batch, news);
    const rejections = [...(left ? left.mapBack(result.rejections) : result.rejections), ...unknown];
    this.#foldRows(batch, find, rejections);
    return { ...result, rejections };
  }

  /** Sends on what is kept; the series that are not have refs of ours in the result. */
  async #forward(batch: SampleBatch, news: readonly Taken[]): Promise<AppendResult> {
    const local = new Map<number, number>();
    const series: Labels[] = [];
    news.forEach((taken, index) => {
      if (!taken.isKept) return;
      local.set(index, series.length);
      series.push(taken.labels);
    });
    const same = series.length === news.length;
    const translate = (ref: SeriesRef) => (ref < 0 ? -local.get(-ref - 1)! - 1 : ref);
    const result = await this.#inner.append(
      same
        ? batch
        : {
            ...batch,
            refs: batch.refs.map(translate),
            series,
            ...(batch.histograms ? { histograms: batch.histograms.map((h) => ({ ...h, ref: translate(h.ref) })) } : {}),
            ...(batch.exemplars ? { exemplars: batch.exemplars.map((e) => ({ ...e, ref: translate(e.ref) })) } : {}),
          },
    );
    const refs = Float64Array.from(news, (taken, index) =>
      taken.isKept ? result.refs[local.get(index)!]! : taken.ref,
    );
    news.forEach((taken, index) => {
      const ref = refs[index]!;
      if (taken.isKept && !Number.isNaN(ref)) this.#bySlot[slotOfRef(ref)] = { ...taken, ref };
    });
    return { ...result, refs };
  }

  #find(ref: SeriesRef): Taken | undefined {
    const slot = slotOfRef(ref);
    const taken = slot >= OWN_SLOTS ? this.#ownBySlot[slot - OWN_SLOTS] : this.#bySlot[slot];
    return taken?.ref === ref ? taken : undefined;
  }

  /** A series that comes with its labels: which rules take it, and whether it goes on. */
  #meet(labels: Labels): Taken {
    const key = labelsKey(labels);
    const own = this.#own.get(key);
    if (own) return own;
    const parts: Part[] = [];
    let isKept = true;
    const isOutput = OUTPUT_NAME.test(labelValue(labels, METRIC_NAME));
    this.#rules.forEach(({ rule, test }, index) => {
      if (isOutput || !test(labels)) return;
      parts.push(this.#part(index, labels));
      if (!rule.keep_input) isKept = false;
    });
    if (isKept || this.#ownBySlot.length >= MAX_OWN_SERIES) return { ref: Number.NaN, labels, parts, isKept: true };
    const taken = { ref: seriesRef(this.#shard, 0, OWN_SLOTS + this.#ownBySlot.length), labels, parts, isKept };
    this.#ownBySlot.push(taken);
    this.#own.set(key, taken);
    return taken;
  }

  #part(rule: number, labels: Labels): Part {
    const key = labelsKey(labels);
    let part = this.#parts[rule]!.get(key);
    if (!part) {
      part = {
        rule,
        group: this.#group(rule, labels),
        last: Number.NaN,
        value: 0,
        isFresh: false,
        isGone: false,
        seenAt: this.#clock.now(),
      };
      this.#parts[rule]!.set(key, part);
    }
    return part;
  }

  #group(index: number, labels: Labels): Group {
    const { rule } = this.#rules[index]!;
    const metric = labelValue(labels, METRIC_NAME);
    const kept = keepLabels(labels, (name) => {
      if (name === METRIC_NAME) return false;
      if (rule.without) return !rule.without.includes(name);
      return rule.by?.includes(name) ?? false;
    });
    const key = `${metric}\xfe${labelsKey(kept)}`;
    let group = this.#groups[index]!.get(key);
    if (!group) {
      group = { metric, labels: kept, fold: newFold() };
      this.#groups[index]!.set(key, group);
    }
    return group;
  }

  #foldRows(batch: SampleBatch, find: (ref: SeriesRef) => Taken | undefined, rejections: readonly Rejection[]): void {
    const refused = new Set(rejections.filter(({ kind }) => kind === 'sample').map(({ index }) => index));
    const now = this.#clock.now();
    for (let i = 0; i < batch.refs.length; i++) {
      if (refused.has(i)) continue;
      const taken = find(batch.refs[i]!);
      if (!taken || taken.parts.length === 0 || isStale(batch.values, i)) continue;
      const value = batch.values[i]!;
      if (Number.isNaN(value)) continue;
      for (const part of taken.parts) {
        const { rule, sketch } = this.#rules[part.rule]!;
        // What was measured long ago says nothing about this interval.
        if (batch.timestamps[i]! < now - 2 * rule.interval) continue;
        if (part.isGone) {
          part.isGone = false;
          part.last = Number.NaN;
          this.#parts[part.rule]!.set(labelsKey(taken.labels), part);
        }
        const { fold } = part.group;
        if (!Number.isNaN(part.last)) fold.increase += value >= part.last ? value - part.last : value;
        part.last = value;
        part.value = value;
        part.isFresh = true;
        part.seenAt = now;
        observe(fold, value, sketch);
      }
    }
  }

  /** At the next multiple of the rule's interval, and then again. */
  #arm(index: number): Timer {
    const { interval } = this.#rules[index]!.rule;
    const now = this.#clock.now();
    const endMs = (Math.floor(now / interval) + 1) * interval;
    return this.#clock.after(
      endMs - now,
      () => {
        this.#end(index, endMs);
        this.#timers[index] = this.#arm(index);
      },
      true,
    );
  }

  #end(index: number, endMs: number): void {
    const { interval } = this.#rules[index]!.rule;
    const touched = new Set<Group>();
    for (const [key, part] of this.#parts[index]!) {
      if (part.isFresh) {
        part.group.fold.sum += part.value;
        part.group.fold.count++;
        part.isFresh = false;
        touched.add(part.group);
      } else if (endMs - part.seenAt > IDLE_INTERVALS * interval) {
        this.#parts[index]!.delete(key);
        part.isGone = true;
        this.#forget(key);
      }
    }
    const groups = [...touched].map(({ metric, labels, fold }) => ({ metric, labels, fold }));
    for (const group of touched) group.fold = newFold();
    // Sent even when empty: the one who adds up waits for every shard.
    this.#emit({ rule: index, endMs, groups });
  }

  /** A series that never reached the store: its next sample has to bring its labels. */
  #forget(key: string): void {
    const own = this.#own.get(key);
    if (!own) return;
    this.#own.delete(key);
    this.#ownBySlot[slotOfRef(own.ref) - OWN_SLOTS] = undefined;
  }
}

/** Outputs of rules look like this; they are never folded again, whatever selectors say. */
const OUTPUT_NAME = new RegExp(`:(?:\\d+(?:ms|[smhdwy]))+_.*(?:${OUTPUTS.join('|')})$`);
