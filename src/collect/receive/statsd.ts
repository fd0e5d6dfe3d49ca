// StatsD: events are gathered into counters, gauges, summaries or histograms and sets, which are written at a steady
// interval like a scrape. Counters go on from where they are; a series without events for its time to live ends.

import {
  boolean,
  duration,
  list,
  number,
  object,
  oneOf,
  optional,
  type Schema,
  withDefault,
} from '#base/config/schema.ts';
import { compareText, METRIC_NAME } from '#model/labels.ts';
import { formatValue } from '#model/value.ts';
import { parseStatsd, type StatsdEvent } from '#wire/statsd.ts';
import { Feed, type FeedParts } from './feed.ts';
import { listenAddress, pause } from './listen.ts';
import { Mapper, type MappingRule, mappingRule } from './mapping.ts';
import { labelNameFrom } from './names.ts';

const DEFAULT_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const DEFAULT_QUANTILES = [0.5, 0.9, 0.99];

export const statsdSection = object(
  {
    listen_udp: optional(listenAddress()),
    listen_tcp: optional(listenAddress()),
    flush_interval: withDefault(pause(), 10_000),
    mappings: list(mappingRule),
    strict: withDefault(boolean(), false),
    /** 0: series live as long as the process. */
    ttl: withDefault(duration(), 0),
    observer_type: withDefault(oneOf('summary', 'histogram'), 'summary'),
    buckets: withDefault(list(number()), DEFAULT_BUCKETS),
    quantiles: withDefault(list(number()), DEFAULT_QUANTILES),
  },
  (value, report) => {
    for (const quantile of value.quantiles) {
      if (quantile < 0 || quantile > 1) report('quantiles', `${quantile} is not between 0 and 1`);
    }
    if (value.buckets.some((bound, i) => i > 0 && bound <= value.buckets[i - 1]!))
      report('buckets', 'bounds must go up');
  },
);
export type StatsdSection = typeof statsdSection extends Schema<infer T> ? T : never;

const MAX_SERIES = 500_000;
/** Observations kept for the quantiles of one interval; more replace kept ones at random places. */
const MAX_OBSERVED = 2048;

type Shared = { readonly pairs: readonly string[]; readonly ttlMs: number; seenAt: number };
type Entry = Shared &
  (
    | { readonly kind: 'counter'; value: number }
    | { readonly kind: 'gauge'; value: number }
    | { readonly kind: 'set'; members: Set<string> }
    | {
        readonly kind: 'summary';
        readonly quantiles: readonly number[];
        observed: number[];
        seen: number;
        sum: number;
        count: number;
      }
    | {
        readonly kind: 'histogram';
        readonly bounds: readonly number[];
        readonly counts: number[];
        sum: number;
        count: number;
      }
  );

export class StatsdReceiver {
  readonly feed: Feed;
  readonly #parts: FeedParts;
  readonly #section: StatsdSection;
  readonly #mapper: Mapper;
  readonly #entries = new Map<string, Entry>();

  constructor(parts: FeedParts, section: StatsdSection) {
    this.#parts = parts;
    this.#section = section;
    this.feed = new Feed('statsd', parts);
    this.#mapper = new Mapper(section.mappings, section.strict);
  }

  /** Series that live. */
  get size(): number {
    return this.#entries.size;
  }

  line(text: string): void {
    const line = text.trim();
    if (line === '') return;
    const events = parseStatsd(line);
    if (typeof events === 'string') this.feed.invalid(events, { line: line.slice(0, 200) });
    else for (const event of events) this.#take(event);
  }

  /** Writes everything with the time of now. */
  async flush(): Promise<void> {
    const now = this.#parts.clock.now();
    for (const [key, entry] of this.#entries) {
      const ended = entry.ttlMs > 0 && now - entry.seenAt > entry.ttlMs;
      this.#write(entry, now, ended);
      if (ended) this.#entries.delete(key);
    }
    await this.feed.flush();
  }

  #take(event: StatsdEvent): void {
    const mapped = this.#mapper.map(event.name, event.type);
    if (!mapped) return;
    const tags: [string, string][] = [];
    for (let i = 0; i < event.tags.length; i += 2) tags.push([labelNameFrom(event.tags[i]!), event.tags[i + 1]!]);
    tags.sort(([a], [b]) => compareText(a, b));
    const labels = [...new Map([...tags, ...pairsOf(mapped.labels)])].flat();
    const key = `${event.type === 'distribution' ? 'timer' : event.type}\xff${mapped.name}\xff${labels.join('\xff')}`;
    let entry = this.#entries.get(key);
    if (!entry) {
      if (this.#entries.size >= MAX_SERIES) {
        this.feed.invalid(`there are ${MAX_SERIES} series already`, { name: mapped.name });
        return;
      }
      entry = this.#begin(event, [METRIC_NAME, mapped.name, ...labels], mapped.rule);
      this.#entries.set(key, entry);
    }
    entry.seenAt = this.#parts.clock.now();
    add(entry, event);
  }

  #begin(event: StatsdEvent, pairs: readonly string[], rule: MappingRule | undefined): Entry {
    const shared: Shared = { pairs, ttlMs: rule?.ttl ?? this.#section.ttl, seenAt: 0 };
    switch (event.type) {
      case 'counter':
        return { ...shared, kind: 'counter', value: 0 };
      case 'gauge':
        return { ...shared, kind: 'gauge', value: 0 };
      case 'set':
        return { ...shared, kind: 'set', members: new Set() };
      default: {
        if ((rule?.observer_type ?? this.#section.observer_type) === 'histogram') {
          const bounds = rule && rule.buckets.length > 0 ? rule.buckets : this.#section.buckets;
          return { ...shared, kind: 'histogram', bounds, counts: bounds.map(() => 0), sum: 0, count: 0 };
        }
        const quantiles = rule && rule.quantiles.length > 0 ? rule.quantiles : this.#section.quantiles;
        return { ...shared, kind: 'summary', quantiles, observed: [], seen: 0, sum: 0, count: 0 };
      }
    }
  }

  #write(entry: Entry, now: number, ended: boolean): void {
    const put = (suffix: string, value: number, extra: readonly string[] = []) => {
      const pairs = [METRIC_NAME, `${entry.pairs[1]}${suffix}`, ...entry.pairs.slice(2), ...extra];
      if (ended) this.feed.end(pairs, now);
      else this.feed.add(pairs, now, value);
    };
    switch (entry.kind) {
      case 'counter':
      case 'gauge':
        put('', entry.value);
        return;
      case 'set':
        put('', entry.members.size);
        entry.members.clear();
        return;
      case 'summary': {
        entry.observed.sort((a, b) => a - b);
        for (const q of entry.quantiles) put('', quantile(entry.observed, q), ['quantile', formatValue(q)]);
        put('_sum', entry.sum);
        put('_count', entry.count);
        entry.observed = [];
        entry.seen = 0;
        return;
      }
      case 'histogram': {
        let total = 0;
        entry.bounds.forEach((bound, i) => {
          total += entry.counts[i]!;
          put('_bucket', total, ['le', formatValue(bound)]);
        });
        put('_bucket', entry.count, ['le', '+Inf']);
        put('_sum', entry.sum);
        put('_count', entry.count);
      }
    }
  }
}

function add(entry: Entry, event: StatsdEvent): void {
  const { value, weight } = event;
  switch (entry.kind) {
    case 'counter':
      entry.value += value * weight;
      return;
    case 'gauge':
      entry.value = event.relative ? entry.value + value : value;
      return;
    case 'set':
      if (entry.members.size < MAX_OBSERVED * 16) entry.members.add(event.member);
      return;
    case 'summary':
      entry.sum += value * weight;
      entry.count += weight;
      // A steady stride through the kept ones: no order in the input makes one value drive out all others.
      if (entry.observed.length < MAX_OBSERVED) entry.observed.push(value);
      else entry.observed[(entry.seen * 1597) % MAX_OBSERVED] = value;
      entry.seen++;
      return;
    case 'histogram': {
      entry.sum += value * weight;
      entry.count += weight;
      const bucket = entry.bounds.findIndex((bound) => value <= bound);
      if (bucket >= 0) entry.counts[bucket]! += weight;
    }
  }
}

/** Of sorted values; NaN when there are none. */
function quantile(sorted: readonly number[], q: number): number {
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))]!;
}

function pairsOf(flat: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i]!, flat[i + 1]!]);
  return pairs;
}
