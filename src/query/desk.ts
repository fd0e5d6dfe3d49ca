// Where queries line up: at most so many run at a time, others wait in order, and when the line is full new ones are
// turned away. It knows what runs and what was costly; whoever wants a log is told about every query that ends.

import type { Clock } from '#base/clock.ts';
import { errorText } from '#base/errors.ts';
import type { QueryStats } from './engine.ts';
import { QueryError } from './execute/errors.ts';

export type QueryInfo = {
  readonly query: string;
  /** Milliseconds; start = end for an instant query. */
  readonly start: number;
  readonly end: number;
  readonly step: number;
  /** Who asked: an address, a rule group. */
  readonly origin: Readonly<Record<string, unknown>>;
  /** Waits however long the line is. */
  readonly isPatient?: boolean;
};

export type ActiveQuery = QueryInfo & { readonly id: number; readonly since: number; readonly running: boolean };
export type EndedQuery = QueryInfo & {
  readonly at: number;
  readonly tookMs: number;
  readonly waitedMs: number;
  readonly error: string | undefined;
  readonly stats: QueryStats | undefined;
};

/** Queries with the same text, added up. */
export type QueryCost = {
  readonly query: string;
  count: number;
  errors: number;
  totalMs: number;
  maxMs: number;
  samples: number;
};

export type DeskOptions = {
  readonly clock: Clock;
  readonly maxConcurrent: number;
  readonly maxWaiting: number;
  readonly log?: (ended: EndedQuery) => void;
};

/** Texts whose cost is kept; the cheapest make room. */
const MAX_COSTS = 1000;

/** Whoever asks, and what runs for them: signals are made where somebody looks at them. */
export type Signalled = { readonly signal?: AbortSignal | undefined };

/** A query's place in the line. Its controller is aborted when the caller's signal is, or by `cancel`. */
class Entry {
  readonly info: QueryInfo;
  readonly id: number;
  readonly since: number;
  running = false;
  readonly #caller: Signalled;
  #controller: AbortController | undefined;
  #outer: AbortSignal | undefined;
  #canceled: QueryError | undefined;
  readonly #forward = () => this.#controller!.abort(this.#outer?.reason);

  constructor(info: QueryInfo, id: number, since: number, caller: Signalled) {
    this.info = info;
    this.id = id;
    this.since = since;
    this.#caller = caller;
  }

  get controller(): AbortController {
    if (!this.#controller) {
      this.#controller = new AbortController();
      this.#outer = this.#caller.signal;
      if (this.#canceled) this.#controller.abort(this.#canceled);
      else if (this.#outer?.aborted) this.#forward();
      else this.#outer?.addEventListener('abort', this.#forward, { once: true });
    }
    return this.#controller;
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  cancel(): void {
    this.#canceled = new QueryError('query_canceled', 'query was canceled by request');
    this.#controller?.abort(this.#canceled);
  }

  end(): void {
    this.#outer?.removeEventListener('abort', this.#forward);
  }
}

export class QueryDesk {
  readonly #options: DeskOptions;
  readonly #active = new Map<number, Entry>();
  readonly #waiting: (() => void)[] = [];
  readonly #costs = new Map<string, QueryCost>();
  #running = 0;
  #nextId = 1;
  #log: DeskOptions['log'];

  constructor(options: DeskOptions) {
    this.#options = options;
    this.#log = options.log;
  }

  set log(log: DeskOptions['log']) {
    this.#log = log;
  }

  get waiting(): number {
    return this.#waiting.length;
  }
  get running(): number {
    return this.#running;
  }

  active(): ActiveQuery[] {
    return [...this.#active.values()].map(({ info, id, since, running }) => ({ ...info, id, since, running }));
  }

  /** The costliest texts by total time. */
  top(limit: number): QueryCost[] {
    return [...this.#costs.values()].sort((a, b) => b.totalMs - a.totalMs).slice(0, limit);
  }

  /** Whether there was such a query. */
  cancel(id: number): boolean {
    const entry = this.#active.get(id);
    entry?.cancel();
    return entry !== undefined;
  }

  /** Runs a query when it is its turn. What it gets is aborted when the caller's signal is, or by `cancel`. */
  async run<T extends { readonly stats: QueryStats }>(
    info: QueryInfo,
    caller: Signalled,
    execute: (own: { readonly controller: AbortController }) => Promise<T>,
  ): Promise<T> {
    const { clock, maxConcurrent } = this.#options;
    const since = clock.monotonic();
    const id = this.#nextId++;
    const entry = new Entry(info, id, clock.now(), caller);
    this.#active.set(id, entry);
    let started = since;
    let stats: QueryStats | undefined;
    let failure: unknown;
    try {
      if (this.#running < maxConcurrent) this.#running++;
      else await this.#turn(entry.signal, info.isPatient ?? false);
      started = clock.monotonic();
      entry.running = true;
      try {
        const result = await execute(entry);
        stats = result.stats;
        return result;
      } finally {
        this.#leave();
      }
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      entry.end();
      this.#active.delete(id);
      const tookMs = clock.monotonic() - started;
      const error = failure === undefined ? undefined : errorText(failure);
      this.#note({ ...info, at: clock.now(), tookMs, waitedMs: started - since, error, stats });
    }
  }

  #turn(signal: AbortSignal, isPatient: boolean): Promise<void> {
    const { maxWaiting } = this.#options;
    if (signal.aborted) return Promise.reject(canceled());
    if (this.#waiting.length >= maxWaiting && !isPatient) {
      const message = `cannot run the query: ${this.#running} are running and ${this.#waiting.length} are waiting`;
      return Promise.reject(new QueryError('query_queue_full', message));
    }
    return new Promise((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener('abort', leave);
        this.#running++;
        resolve();
      };
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(canceled());
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.push(enter);
    });
  }

  #leave(): void {
    this.#running--;
    this.#waiting.shift()?.();
  }

  #note(ended: EndedQuery): void {
    this.#log?.(ended);
    let cost = this.#costs.get(ended.query);
    if (!cost) {
      if (this.#costs.size >= MAX_COSTS) this.#costs.delete(this.#cheapest());
      cost = { query: ended.query, count: 0, errors: 0, totalMs: 0, maxMs: 0, samples: 0 };
      this.#costs.set(ended.query, cost);
    }
    cost.count++;
    if (ended.error !== undefined) cost.errors++;
    cost.totalMs += ended.tookMs;
    cost.maxMs = Math.max(cost.maxMs, ended.tookMs);
    cost.samples += ended.stats?.samples.total ?? 0;
  }

  #cheapest(): string {
    let found = '';
    let least = Infinity;
    for (const { query, totalMs } of this.#costs.values()) {
      if (totalMs >= least) continue;
      found = query;
      least = totalMs;
    }
    return found;
  }
}

const canceled = () => new QueryError('query_canceled', 'query was canceled in query queue');
