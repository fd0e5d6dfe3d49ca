// Soon after the start, when nobody asks anything, a few small queries over some of the metrics that are there: they bring the
// query engine, the shards' decoders and the API into their compiled form before the first dashboard is opened. They go past the
// desk, so no log, metric or cache knows of them, and series do not count as asked for.

import type { Clock } from '#base/clock.ts';
import { sleep } from '#base/clock.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { FragmentSource } from '#model/query.ts';
import { QueryDesk } from '#query/desk.ts';
import type { QueryEngine } from '#query/engine.ts';
import type { HttpRequest, Route } from '#serve/http.ts';
import { queryRoutes } from '#serve/query.ts';

/** Metrics of a store with how many series each has, and the time of the newest sample. */
export type Specimens = {
  readonly metrics: readonly { readonly name: string; readonly series: number }[];
  readonly newest: number;
};

export type WarmUpParts = {
  readonly engine: QueryEngine;
  readonly source: FragmentSource;
  readonly specimens: () => Promise<Specimens>;
  /** Whether somebody else needs the machine. */
  readonly isBusy: () => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
};

const BEGIN_AFTER_MS = 500;
const PAUSE_MS = 2;
/** Work, without the pauses; and how often each query is run at most. */
const MAX_WORK_MS = 1500;
const MAX_ROUNDS = 80;
/** A round that takes this part of the best one before it, or more, has brought nothing; after so many of them in a row it is enough. */
const NO_GAIN = 0.95;
const IDLE_ROUNDS = 3;
/** About what a metric should have, so that a query over it is small, and may have at most. */
const WANTED_SERIES = 40;
const MAX_SERIES = 2000;
const MINUTE_MS = 60_000;

/** Runs until it is done or the signal is aborted; never fails. */
export async function warmUp(parts: WarmUpParts, signal: AbortSignal): Promise<void> {
  const { clock, logger } = parts;
  try {
    await sleep(clock, BEGIN_AFTER_MS, signal);
    const requests = requestsFor(await parts.specimens());
    const desk = new QueryDesk({ clock, maxConcurrent: 1, maxWaiting: 1 });
    const { engine, source } = parts;
    const routes = queryRoutes({ engine, source, desk, clock, ready: () => true });
    let workMs = 0;
    let count = 0;
    let bestMs = Infinity;
    let idleRounds = 0;
    for (let round = 0; round < MAX_ROUNDS && workMs < MAX_WORK_MS && idleRounds < IDLE_ROUNDS; round++) {
      const before = workMs;
      for (const [pattern, query] of requests) {
        while (parts.isBusy()) await sleep(clock, 100, signal);
        const started = clock.monotonic();
        await ask(routes, pattern, query, signal);
        workMs += clock.monotonic() - started;
        count++;
        await sleep(clock, PAUSE_MS, signal);
      }
      if (requests.length === 0) return;
      const roundMs = workMs - before;
      idleRounds = roundMs < bestMs * NO_GAIN ? 0 : idleRounds + 1;
      bestMs = Math.min(bestMs, roundMs);
    }
    logger.debug('queries are warmed up', { queries: count, ms: Math.round(workMs) });
  } catch (error) {
    if (!signal.aborted) logger.warn('cannot warm queries up', { err: errorText(error) });
  }
}

/** Has a route answer, and reads the answer to its end. */
export async function ask(
  routes: readonly Route[],
  pattern: string,
  query: URLSearchParams,
  signal: AbortSignal,
): Promise<void> {
  const route = routes.find((candidate) => candidate.pattern === `/api/v1/${pattern}`)!;
  const request: HttpRequest = {
    ...{ method: 'GET', path: route.pattern, query, headers: {}, remoteAddress: '', user: undefined, signal },
    params: { name: '__name__' },
    body: async () => Buffer.alloc(0),
  };
  const { body } = await route.handler(request);
  if (body && typeof body !== 'string' && !(body instanceof Uint8Array)) for await (const _ of body);
}

/** What does not let anybody see that series have been asked for. */
export const unnoticed = (source: FragmentSource): FragmentSource => ({
  run: (fragment, limits, signal) => source.run({ ...fragment, unnoticed: true }, limits, signal),
  select: (request, limits, signal) => source.select({ ...request, unnoticed: true }, limits, signal),
  labelNames: (...asked) => source.labelNames(...asked),
  labelValues: (...asked) => source.labelValues(...asked),
  series: (...asked) => source.series(...asked),
  exemplars: (...asked) => source.exemplars(...asked),
  metadata: (...asked) => source.metadata(...asked),
});

/** Small queries of all kinds over what metrics there are; none without metrics. */
export function requestsFor({ metrics, newest }: Specimens): (readonly [string, URLSearchParams])[] {
  const distance = ({ series }: { readonly series: number }) => Math.abs(Math.log(series / WANTED_SERIES));
  const small = metrics.filter(({ series }) => series <= MAX_SERIES).sort((a, b) => distance(a) - distance(b));
  const some = (ending: RegExp) => small.find(({ name }) => ending.test(name))?.name;
  const any = some(/^[^_].*(?<!_total|_bucket|_sum|_count)$/) ?? small[0]?.name;
  if (any === undefined) return [];
  const counter = some(/_total$/) ?? some(/_count$/) ?? any;
  const bucket = some(/_bucket$/) ?? counter;
  const end = newest / 1000;
  const names = [any, counter, bucket].map((name) => JSON.stringify(name));
  const [g, c, b] = names.map((name) => `__name__=${name}`);
  const expressions = [
    `{${c}}`,
    `rate({${c}}[5m])`,
    `sum by (job, instance) (rate({${c}}[5m]))`,
    `histogram_quantile(0.9, sum by (le, job) (rate({${b}}[5m])))`,
    `count by (__name__) ({__name__=~${JSON.stringify(`${any}|${counter}.*`)},instance!~"x.+"})`,
    `rate({${c}}[5m]) * on (instance, job) group_left () (max by (instance, job) ({${g}}))`,
    `avg_over_time({${g}}[1h]) > bool 1`,
    `max_over_time(sum(rate({${c}}[5m]))[30m:1m])`,
    `sum(count_over_time({${b}}[1h]))`,
    `topk(5, sum by (instance) (rate({${c}}[5m]))) or max({${g}})`,
  ];
  const series = { 'match[]': `{${c}}`, start: String(end - 3600), end: String(end) };
  return [
    ...expressions.map((query) => ['query', new URLSearchParams({ query, time: String(end) })] as const),
    ...expressions.map((query) => {
      const start = end - (30 * MINUTE_MS) / 1000;
      return [
        'query_range',
        new URLSearchParams({ query, start: String(start), end: String(end), step: '60' }),
      ] as const;
    }),
    ['labels', new URLSearchParams(series)],
    ['labels', new URLSearchParams()],
    ['label/:name/values', new URLSearchParams()],
    ['series', new URLSearchParams(series)],
  ];
}
