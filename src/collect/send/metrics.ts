// prometheus_remote_storage_*: what a remote has been sent, lost and is owed, by the names that dashboards and alerts use.

import type { Counter, Gauge, HistogramMetric, Registry, Vec } from '#model/registry.ts';

const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60, 120, 300];
const KINDS = ['samples', 'histograms', 'exemplars', 'metadata'] as const;
export type SentKind = (typeof KINDS)[number];

const WHAT: Readonly<Record<SentKind, string>> = {
  samples: 'samples',
  histograms: 'histograms',
  exemplars: 'exemplars',
  metadata: 'metadata entries',
};

type Family = { readonly sent: Vec<Counter>; readonly failed: Vec<Counter>; readonly retried: Vec<Counter> };

/** Families of all remotes of a shard; `of` gives one remote's own. */
export class RemoteMetrics {
  readonly #counters: Readonly<Record<SentKind, Family>>;
  readonly #dropped: Readonly<Record<Exclude<SentKind, 'metadata'>, Vec<Counter>>>;
  readonly #pending: Readonly<Record<string, Vec<Gauge>>>;
  readonly #gauges: Readonly<Record<string, Vec<Gauge>>>;
  readonly #durations: Vec<HistogramMetric>;
  readonly #enqueueRetries: Vec<Counter>;
  readonly #readSegment: Vec<Gauge>;
  readonly #bytes: Vec<Counter>;
  readonly #metadataBytes: Vec<Counter>;

  constructor(registry: Registry) {
    const labels = ['remote_name', 'url'];
    const name = (suffix: string) => `prometheus_remote_storage_${suffix}`;
    const family = (kind: SentKind): Family => ({
      sent: registry.counterVec(name(`${kind}_total`), `Total number of ${WHAT[kind]} sent to remote storage.`, labels),
      failed: registry.counterVec(
        name(`${kind}_failed_total`),
        `Total number of ${WHAT[kind]} which failed on send to remote storage, non-recoverable errors.`,
        labels,
      ),
      retried: registry.counterVec(
        name(`${kind}_retried_total`),
        `Total number of ${WHAT[kind]} which failed on send to remote storage but were retried because the send error was recoverable.`,
        labels,
      ),
    });
    const dropped = (kind: SentKind) =>
      registry.counterVec(
        name(`${kind}_dropped_total`),
        `Total number of ${WHAT[kind]} which were dropped before being sent via remote write, either via relabelling, due to being too old or because the queue on disk was full.`,
        [...labels, 'reason'],
      );
    const gauge = (suffix: string, help: string) => registry.gaugeVec(name(suffix), help, labels);
    this.#counters = {
      samples: family('samples'),
      histograms: family('histograms'),
      exemplars: family('exemplars'),
      metadata: family('metadata'),
    };
    this.#dropped = { samples: dropped('samples'), histograms: dropped('histograms'), exemplars: dropped('exemplars') };
    this.#pending = {
      samples: gauge('samples_pending', 'The number of samples pending in the queue to be sent to the remote storage.'),
    };
    this.#gauges = {
      shards: gauge('shards', 'The number of shards used for parallel sending to the remote storage.'),
      shardsMax: gauge('shards_max', 'The maximum number of shards that the queue is allowed to run.'),
      shardsMin: gauge('shards_min', 'The minimum number of shards that the queue is allowed to run.'),
      shardsDesired: gauge(
        'shards_desired',
        'The number of shards that the queues shard calculation wants to run based on the rate of samples in vs. samples out.',
      ),
      capacity: gauge(
        'shard_capacity',
        'The capacity of each shard of the queue used for parallel sending to the remote storage.',
      ),
      maxPerSend: gauge(
        'max_samples_per_send',
        'The maximum number of samples to be sent, in a single request, to the remote storage.',
      ),
      highest: gauge(
        'queue_highest_timestamp_seconds',
        'Highest timestamp that was enqueued, in seconds since epoch. Initialized to 0 when no data has been received yet.',
      ),
      highestSent: gauge(
        'queue_highest_sent_timestamp_seconds',
        'Highest timestamp successfully sent by this queue, in seconds since epoch. Initialized to 0 when no data has been sent yet.',
      ),
      diskBytes: registry.gaugeVec('pharos_remote_queue_disk_bytes', 'Size of the queue on disk.', labels),
    };
    this.#enqueueRetries = registry.counterVec(
      name('enqueue_retries_total'),
      'Total number of times enqueue has failed because a shards queue was full. The queue is on disk, so it never is.',
      labels,
    );
    this.#readSegment = registry.gaugeVec(
      'prometheus_wal_watcher_current_segment',
      'Segment of the queue on disk that is being sent, added up over shards.',
      ['consumer'],
    );
    this.#durations = registry.histogramVec(
      name('sent_batch_duration_seconds'),
      'Duration of send calls to the remote storage.',
      labels,
      BUCKETS,
    );
    this.#bytes = registry.counterVec(
      name('bytes_total'),
      'The total number of bytes of data (not metadata) sent by the queue after compression.',
      labels,
    );
    this.#metadataBytes = registry.counterVec(
      name('metadata_bytes_total'),
      'The total number of bytes of metadata sent by the queue after compression.',
      labels,
    );
  }

  of(remoteName: string, url: string) {
    this.#enqueueRetries.with(remoteName, url);
    for (const reason of ['too_old', 'dropped_series', 'queue_full'] as const) {
      this.#dropped.samples.with(remoteName, url, reason);
    }
    const pick = <M extends Counter | Gauge | HistogramMetric>(vec: Vec<M>) => vec.with(remoteName, url);
    const counters = (which: keyof Family) => ({
      samples: pick(this.#counters.samples[which]),
      histograms: pick(this.#counters.histograms[which]),
      exemplars: pick(this.#counters.exemplars[which]),
      metadata: pick(this.#counters.metadata[which]),
    });
    const gauges = this.#gauges;
    return {
      sent: counters('sent'),
      failed: counters('failed'),
      retried: counters('retried'),
      dropped: (kind: Exclude<SentKind, 'metadata'>, reason: string) =>
        this.#dropped[kind].with(remoteName, url, reason),
      pending: pick(this.#pending['samples']!),
      shards: pick(gauges['shards']!),
      shardsMax: pick(gauges['shardsMax']!),
      shardsMin: pick(gauges['shardsMin']!),
      shardsDesired: pick(gauges['shardsDesired']!),
      capacity: pick(gauges['capacity']!),
      maxPerSend: pick(gauges['maxPerSend']!),
      highest: pick(gauges['highest']!),
      highestSent: pick(gauges['highestSent']!),
      readSegment: this.#readSegment.with(remoteName),
      diskBytes: pick(gauges['diskBytes']!),
      duration: pick(this.#durations),
      bytes: pick(this.#bytes),
      metadataBytes: pick(this.#metadataBytes),
    };
  }
}

export type RemoteCounters = ReturnType<RemoteMetrics['of']>;
