// What a shard can be asked from another thread: the same list for the main thread and for the other shards. Rooms add
// their calls here; program/shard.ts answers them.

import type { MessagePort } from 'node:worker_threads';
import type { LaneEnd } from '#base/lane.ts';
import type { TracingConfig } from '#clients/otlp/config.ts';
import type { CompiledRule, Folded } from '#collect/aggregate/aggregator.ts';
import type { RemoteReadConfig } from '#collect/read/config.ts';
import type { ReceiveSection } from '#collect/receive/config.ts';
import type { Answer, Received } from '#collect/receive/exchange.ts';
import type { OtlpSection } from '#collect/receive/otlp/config.ts';
import type { Assignment, TargetStatus } from '#collect/scrape/spec.ts';
import type { RemoteConfig } from '#collect/send/config.ts';
import type { AppendResult, Exemplar, Metadata, SampleBatch } from '#model/batch.ts';
import type { Changes } from '#model/board.ts';
import type { MetricFamily } from '#model/family.ts';
import type { Labels } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import type { Columns, Fragment, QueryLimits, RawSeries, SelectRequest, TimeRange } from '#model/query.ts';
import type { ShardSide } from '#store/compact/shard-side.ts';
import type { Cardinality } from '#store/head/cardinality.ts';
import type { StoreOptions } from '#store/options.ts';
import type { EncodedSeries, EncodeRead } from './encode-read.ts';
import type { PackedLabels } from './label-line.ts';

export type SeriesQuery = {
  readonly matchers: readonly (readonly Matcher[])[];
  readonly range: TimeRange;
  readonly limit: number;
};

export type TargetFamily = {
  readonly job: string;
  readonly target: string;
  readonly family: string;
  readonly metadata: Metadata;
};

/** What of the configuration file shards need to take samples in and send them on. */
export type ExchangeConfig = {
  readonly receive: ReceiveSection;
  readonly otlp: OtlpSection;
  readonly remotes: readonly RemoteConfig[];
  readonly reads: readonly RemoteReadConfig[];
  readonly tracing: TracingConfig | undefined;
  readonly externalLabels: Labels;
  readonly aggregate: readonly CompiledRule[];
};

/** Columns whose labels are on the way. */
export type PackedColumns = Omit<Columns, 'labels'> & { readonly labels: PackedLabels };

// A type alias, not an interface: it has to fit the index signature of Api.
export type ShardApi = ShardSide & {
  /** Hands over a line to another shard; replaces the one there was. */
  connect(peer: { readonly shard: number; readonly port: MessagePort; readonly lane: LaneEnd }): void;
  /** The lane from the main thread. */
  attach(lane: LaneEnd): void;
  append(batch: SampleBatch): Promise<AppendResult>;
  /** A request of a receiver: decoded here, its samples appended to whichever shards they belong to. */
  receive(request: Received): Promise<Answer>;
  setExchange(config: ExchangeConfig): Promise<void>;
  /** What another shard has folded in an interval. */
  aggregated(folded: Folded): void;
  run(
    request: {
      readonly fragment: Fragment;
      readonly limits: QueryLimits;
      /** Series from elsewhere that would live in this shard. */
      readonly beside?: readonly RawSeries[];
    },
    signal: AbortSignal,
  ): Promise<PackedColumns>;
  select(
    request: { readonly select: SelectRequest; readonly limits: QueryLimits; readonly beside?: readonly RawSeries[] },
    signal: AbortSignal,
  ): Promise<readonly RawSeries[]>;
  labelNames(query: SeriesQuery): Promise<readonly string[]>;
  labelValues(query: SeriesQuery & { readonly name: string }): Promise<readonly string[]>;
  series(query: SeriesQuery): Promise<PackedLabels>;
  exemplars(query: SeriesQuery): Promise<readonly { labels: Labels; exemplars: readonly Exemplar[] }[]>;
  metadata(query: {
    readonly metric: string | undefined;
    readonly limit: number;
  }): Promise<ReadonlyMap<string, readonly Metadata[]>>;
  /** Makes exactly these targets the ones that the shard's thread scrapes. */
  setTargets(assignments: readonly Assignment[]): void;
  targetStatuses(): readonly TargetStatus[];
  targetFamilies(): readonly TargetFamily[];
  /** Asks the server that is configured by this name; fetched and decoded in the shard's thread. */
  readRemote(
    request: { readonly name: string; readonly select: SelectRequest; readonly limits: QueryLimits },
    signal: AbortSignal,
  ): Promise<readonly RawSeries[]>;
  /** For remote read: what is selected, encoded as it goes out. */
  encodeRead(request: EncodeRead, signal: AbortSignal): Promise<EncodedSeries>;
  /** First time of which the store has samples; Infinity when it has none. */
  oldest(): Promise<number>;
  /** What the targets of this thread say about a metric or all of them, each distinct thing once. */
  targetMetadata(metric: string | undefined): readonly { readonly family: string; readonly metadata: Metadata }[];
  cardinality(limit: number): Cardinality;
  /** Sorted hashes of the values of every label name. */
  labelValueHashes(): ReadonlyMap<string, Float64Array>;
  /** Some of the metrics that there are, with how many series each has, and the time of the newest sample. */
  specimens(limit: number): {
    readonly metrics: readonly { readonly name: string; readonly series: number }[];
    readonly newest: number;
  };
  /** What has changed since a mark that an earlier call returned. */
  changes(since: number): Promise<Changes>;
  /** How far the log has been read: bytes. */
  replayProgress(): { readonly doneBytes: number; readonly totalBytes: number };
  /** New limits and windows, from the next batch on. */
  configureStore(options: StoreOptions): void;
  metrics(): readonly MetricFamily[];
  /** Ends scraping, while every other shard still takes samples. */
  quiesce(): Promise<void>;
  /** Finishes what is under way and makes everything durable; nothing is taken afterwards. */
  drain(): Promise<void>;
};
