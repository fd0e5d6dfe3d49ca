// What a worker is told to scrape: plain data that crosses threads. The main thread makes it from configuration, discovery
// and target relabeling; a worker needs nothing else.

import type { HttpClientConfig } from '#clients/http/config.ts';
import type { Labels } from '#model/labels.ts';
import type { EscapingScheme, ScrapeProtocol } from '#wire/exposition/formats.ts';
import type { NameValidation, RelabelRule } from '../relabel/relabel.ts';

/** Limits of one scrape; 0 is no limit. */
export type ScrapeLimits = {
  readonly bodySizeBytes: number;
  readonly samples: number;
  readonly labels: number;
  readonly labelNameLength: number;
  readonly labelValueLength: number;
  readonly histogramBuckets: number;
  readonly histogramMinBucketFactor: number;
};

/** What the targets of one job have in common. */
export type JobSpec = {
  readonly name: string;
  readonly protocols: readonly ScrapeProtocol[];
  readonly fallbackProtocol: ScrapeProtocol | undefined;
  readonly escaping: EscapingScheme;
  readonly nameValidation: NameValidation;
  readonly enableCompression: boolean;
  readonly honorLabels: boolean;
  readonly honorTimestamps: boolean;
  readonly trackTimestampsStaleness: boolean;
  readonly extraMetrics: boolean;
  readonly limits: ScrapeLimits;
  readonly metricRelabelRules: readonly RelabelRule[];
  readonly http: HttpClientConfig;
  readonly failureLogFile: string | undefined;
  /** Take start timestamps from the page (created lines, protobuf fields). */
  readonly startTimestamps: boolean;
  /** What the page says of a family becomes labels of its series. */
  readonly typeAndUnitLabels: boolean;
};

export type TargetSpec = {
  /** Unique within the job, and the same as long as labels and URL are. */
  readonly id: string;
  readonly url: string;
  /** Labels given to every sample: without those that start with "__". */
  readonly labels: Labels;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Decides when in the interval the target is scraped: [0, 1). */
  readonly phase: number;
  readonly socketPath: string | undefined;
  readonly nativeHistograms: boolean;
  readonly alwaysClassicHistograms: boolean;
  readonly convertClassicHistograms: boolean;
  /** Why the target must not be scraped although it exists: a limit, a wrong label. */
  readonly forcedError: string | undefined;
};

export type Assignment = { readonly job: JobSpec; readonly targets: readonly TargetSpec[] };

export type TargetHealth = 'unknown' | 'up' | 'down';

export type TargetStatus = {
  readonly job: string;
  readonly id: string;
  readonly health: TargetHealth;
  readonly lastError: string;
  /** Milliseconds since the epoch; 0: never. */
  readonly lastScrape: number;
  readonly lastDurationSeconds: number;
};
