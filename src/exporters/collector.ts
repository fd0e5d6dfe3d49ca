// The contract of everything that Pharos measures itself, and the one way in which collectors are run: all at once, each with
// its own deadline, so that a slow or broken one is reported in its own metrics while the rest of the page is served.

import type { Clock } from '#base/clock.ts';
import { errorCode, errorText, OperatingError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { type FamilySample, familiesByName, type MetricFamily } from '#model/family.ts';
import { type RenderedPage, render } from '#wire/exposition/write.ts';

export interface Collector {
  readonly name: string;
  /** Throws when nothing can be said; `noData` when the thing to measure does not exist here. */
  collect(signal: AbortSignal): readonly MetricFamily[] | Promise<readonly MetricFamily[]>;
}

/** The outcome of one collector in one scrape. */
export type Outcome = {
  readonly name: string;
  readonly families: readonly MetricFamily[];
  readonly durationMs: number;
  /** Plain data, because outcomes cross threads. */
  readonly error: { readonly code: string | undefined; readonly message: string } | undefined;
};

export const DEFAULT_COLLECTOR_TIMEOUT_MS = 9000;

/** What a collector throws when its subject is absent: no error of the host, but no success either. */
export function noData(message: string, cause?: unknown): OperatingError {
  return new OperatingError('no_data', message, { cause });
}

/** Runs every collector; the promise never rejects and never takes longer than the time-out. */
export function runCollectors(
  collectors: readonly Collector[],
  clock: Clock,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Outcome[]> {
  return Promise.all(collectors.map((collector) => runOne(collector, clock, timeoutMs, signal)));
}

async function runOne(collector: Collector, clock: Clock, timeoutMs: number, outer?: AbortSignal): Promise<Outcome> {
  const { name } = collector;
  const started = clock.monotonic();
  const done = (families: readonly MetricFamily[], error?: unknown): Outcome => ({
    name,
    families,
    durationMs: clock.monotonic() - started,
    error: error === undefined ? undefined : { code: errorCode(error), message: errorText(error) },
  });
  try {
    const abort = new AbortController();
    const result = collector.collect(abort.signal);
    if (!(result instanceof Promise)) return done(result);
    return done(await beforeDeadline(result, name, clock, timeoutMs, abort, outer));
  } catch (error) {
    return done([], error ?? 'unknown error');
  }
}

async function beforeDeadline<T>(
  result: Promise<T>,
  name: string,
  clock: Clock,
  timeoutMs: number,
  abort: AbortController,
  outer: AbortSignal | undefined,
): Promise<T> {
  let onAbort: (() => void) | undefined;
  let timer: { cancel(): void } | undefined;
  const ended = new Promise<never>((_, reject) => {
    const stop = (error: Error) => {
      abort.abort(error);
      reject(error);
    };
    timer = clock.after(timeoutMs, () =>
      stop(new OperatingError('timeout', `cannot collect ${name}: no answer within ${timeoutMs} ms`)),
    );
    onAbort = () => stop(new OperatingError('canceled', `cannot collect ${name}: the scrape was cancelled`));
    if (outer?.aborted) onAbort();
    else outer?.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([result, ended]);
  } finally {
    timer?.cancel();
    if (onAbort) outer?.removeEventListener('abort', onAbort);
  }
}

/**
 * One page from the outcomes: families of equal name joined, sorted by name, with the two families that tell how each
 * collector fared (`<prefix>_scrape_collector_duration_seconds` and `_success`).
 */
function pageOf(outcomes: readonly Outcome[], prefix: string): MetricFamily[] {
  const families = new Map<string, { family: MetricFamily; samples: FamilySample[] }>();
  const durations: FamilySample[] = [];
  const successes: FamilySample[] = [];
  for (const { name, families: collected, durationMs, error } of [...outcomes].sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    const labels = ['collector', name];
    durations.push({ suffix: '', labels, value: durationMs / 1000 });
    successes.push({ suffix: '', labels, value: error ? 0 : 1 });
    for (const family of collected) {
      const entry = families.get(family.name);
      if (entry) for (const sample of family.samples) entry.samples.push(sample);
      else families.set(family.name, { family, samples: family.samples as FamilySample[] });
    }
  }
  const page = [...families.values()].map(({ family, samples }) => ({ ...family, samples }));
  if (outcomes.length > 0) {
    page.push(
      {
        name: `${prefix}_scrape_collector_duration_seconds`,
        type: 'gauge',
        help: 'How long a collector took.',
        samples: durations,
      },
      {
        name: `${prefix}_scrape_collector_success`,
        type: 'gauge',
        help: 'Whether a collector succeeded.',
        samples: successes,
      },
    );
  }
  return familiesByName(page);
}

/** The page as a client wants it, with what else belongs on it. */
export const renderOutcomes = (
  outcomes: readonly Outcome[],
  prefix: string,
  own: readonly MetricFamily[],
  accept: string,
): RenderedPage => render(familiesByName([...pageOf(outcomes, prefix), ...own]), accept);

/** A line for each collector that failed. */
export function logFailures(outcomes: readonly Omit<Outcome, 'families'>[], log: Logger): void {
  for (const { name, durationMs, error } of outcomes) {
    if (!error) continue;
    const fields = { name, duration_seconds: durationMs / 1000, err: error.message };
    if (error.code === 'no_data') log.debug('collector returned no data', fields);
    else log.error('collector failed', fields);
  }
}
