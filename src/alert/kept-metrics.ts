// Metrics of what the alertmanager keeps on disk, silences and the notification log: how often it is asked, how long its
// upkeep takes, how large its file is. Both have the same ones under different names.

import type { Clock } from '#base/clock.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { Counter, Registry } from '#model/registry.ts';

/** What is read of the file when somebody asks. */
export type KeptFile = {
  readonly sizeBytes: number;
  readonly rewrites: { readonly count: number; readonly seconds: number };
};

export type KeptMetrics = {
  /** Does the upkeep, and counts it. It runs again later, so that a failure is only reported. */
  readonly maintain: (work: () => void) => void;
  readonly collect: (work: () => void) => void;
  readonly watch: QueryWatch;
};

/** Told of each query. */
export type QueryWatch = {
  /** The moment it began. */
  begin(): number;
  /** `scanned` of what there is was looked at, `skipped` was not. */
  end(began: number, scanned: number, skipped: number): void;
};

export const UNWATCHED: QueryWatch = { begin: () => 0, end() {} };

/** Prometheus' usual ones. */
export const LATENCY_BOUNDS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function keptMetrics(
  registry: Registry,
  what: { readonly prefix: 'silences' | 'nflog'; readonly noun: string; readonly file: KeptFile },
  clock: Clock,
  logger: Logger,
): KeptMetrics {
  const { noun, file } = what;
  const name = (rest: string) => `alertmanager_${what.prefix}_${rest}`;
  const maintenances = registry.counter(name('maintenance_total'), `How often upkeep of ${noun} was done.`);
  const failures = registry.counter(name('maintenance_errors_total'), `How often upkeep of ${noun} failed.`);
  const collections = registry.summary(name('gc_duration_seconds'), `How long dropping old ${noun} took.`);
  registry.collected(
    name('snapshot_duration_seconds'),
    `How long rewriting the file of ${noun} took.`,
    'summary',
    () => [
      { suffix: '_sum', value: file.rewrites.seconds },
      { suffix: '_count', value: file.rewrites.count },
    ],
  );
  registry.collected(name('snapshot_size_bytes'), `Size of the file of ${noun}.`, 'gauge', () => [
    { value: file.sizeBytes },
  ]);
  const queries = registry.counter(name('queries_total'), `How often ${noun} were asked for.`);
  registry.counter(name('query_errors_total'), `How often asking for ${noun} failed.`);
  const durations = registry.histogram(
    name('query_duration_seconds'),
    `How long finding ${noun} took.`,
    LATENCY_BOUNDS,
  );
  registry.counter(
    name('gossip_messages_propagated_total'),
    `Messages about ${noun} passed on to others; members share through etcd, so that nobody has to.`,
  );
  const looked = what.prefix === 'silences' ? silenceMetrics(registry) : undefined;
  return {
    maintain(work) {
      maintenances.add();
      try {
        work();
      } catch (error) {
        failures.add();
        logger.error(`cannot maintain ${noun}`, { err: errorText(error) });
      }
    },
    collect(work) {
      const started = clock.monotonic();
      work();
      collections.observe((clock.monotonic() - started) / 1000);
    },
    watch: {
      begin: () => clock.monotonic(),
      end(began, scanned, skipped) {
        queries.add();
        durations.observe((clock.monotonic() - began) / 1000);
        looked?.scanned.add(scanned);
        looked?.skipped.add(skipped);
      },
    },
  };
}

/** Those that silences have alone. */
function silenceMetrics(registry: Registry): { readonly scanned: Counter; readonly skipped: Counter } {
  registry.counter('alertmanager_silences_gc_errors_total', 'Silences that could not be dropped.');
  const failures = registry.counterVec(
    'alertmanager_silences_matcher_compile_errors_total',
    'Matchers of kept silences that could not be read: none, they are checked before they are kept.',
    ['stage'],
  );
  for (const stage of ['index', 'load_snapshot']) failures.with(stage);
  return {
    scanned: registry.counter(
      'alertmanager_silences_query_silences_scanned_total',
      'Silences that were looked at when an alert was tested.',
    ),
    skipped: registry.counter(
      'alertmanager_silences_query_silences_skipped_total',
      'Silences that the index ruled out when an alert was tested.',
    ),
  };
}
