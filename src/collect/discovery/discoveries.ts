// Runs discovery providers for named consumers (jobs, alert receivers): equal configurations share one provider, what it
// finds is kept by source, and consumers hear of changes a few times a minute at most, the first time at once.

import type { Timer } from '#base/clock.ts';
import { errorText } from '#base/errors.ts';
import type { TargetGroup } from '#model/target.ts';
import type { DiscoveryContext } from './provider.ts';
import { type DiscoveryConfig, providerOf } from './providers.ts';

/** Consumers are told of changes at most this often. */
const UPDATE_INTERVAL_MS = 5000;
/** Groups found right after the start are told together. */
const FIRST_UPDATE_MS = 20;

export type DiscoveriesOptions = Omit<DiscoveryContext, 'name'> & {
  /** Stands for all these consumers in metrics: "scrape", "notify". */
  readonly kind: string;
  readonly onChange: (consumers: ReadonlySet<string>) => void;
};

type Running = {
  readonly consumers: Set<string>;
  readonly groups: Map<string, TargetGroup>;
  readonly abort: AbortController;
};

export class Discoveries {
  readonly #options: DiscoveriesOptions;
  readonly #running = new Map<string, Running>();
  /** Keys of `#running` by consumer, in the order of its configuration. */
  #wanted = new Map<string, readonly string[]>();
  #changed = new Set<string>();
  #timer: Timer | undefined;
  #lastUpdate = Number.NEGATIVE_INFINITY;

  constructor(options: DiscoveriesOptions) {
    this.#options = options;
  }

  /** Providers whose configuration is still asked for go on undisturbed. */
  apply(consumers: ReadonlyMap<string, readonly DiscoveryConfig[]>): void {
    const wanted = new Map<string, string[]>();
    for (const running of this.#running.values()) running.consumers.clear();
    for (const [consumer, configs] of consumers) {
      const keys: string[] = [];
      for (const config of configs) {
        const key = JSON.stringify(config);
        keys.push(key);
        this.#start(key, config, consumer).consumers.add(consumer);
      }
      wanted.set(consumer, keys);
    }
    for (const [key, running] of this.#running) {
      if (running.consumers.size > 0) continue;
      running.abort.abort();
      this.#running.delete(key);
    }
    const { metrics, kind } = this.#options;
    metrics.failedConfigs.with(kind);
    for (const consumer of this.#wanted.keys()) {
      if (!wanted.has(consumer)) metrics.discoveredTargets.remove(kind, consumer);
    }
    this.#wanted = wanted;
    // What is written in the file was found while the providers started, before anybody was known to want it.
    for (const consumer of wanted.keys()) this.#countTargets(consumer);
  }

  #countTargets(consumer: string): void {
    const { metrics, kind } = this.#options;
    const found = this.groupsOf(consumer).reduce((sum, group) => sum + group.targets.length, 0);
    metrics.discoveredTargets.with(kind, consumer).set(found);
  }

  /** Everything found for a consumer. */
  groupsOf(consumer: string): TargetGroup[] {
    return (this.#wanted.get(consumer) ?? []).flatMap((key) => [...(this.#running.get(key)?.groups.values() ?? [])]);
  }

  stop(): void {
    this.#timer?.cancel();
    for (const running of this.#running.values()) running.abort.abort();
    this.#running.clear();
  }

  #start(key: string, { key: field, config }: DiscoveryConfig, consumer: string): Running {
    const known = this.#running.get(key);
    if (known) return known;
    const running: Running = { consumers: new Set(), groups: new Map(), abort: new AbortController() };
    this.#running.set(key, running);
    const { log, metrics } = this.#options;
    const provider = providerOf(field)!;
    const { kind: _kind, onChange: _onChange, ...context } = this.#options;
    try {
      provider
        .create(config, { ...context, name: consumer })
        .run((groups) => this.#update(running, groups), running.abort.signal)
        .catch((error) => {
          if (!running.abort.signal.aborted) log.error('Discovery ended', { provider: field, err: errorText(error) });
        });
    } catch (error) {
      metrics.failedConfigs.with(this.#options.kind).add();
      log.error('Cannot create service discovery', { provider: field, config: consumer, err: errorText(error) });
    }
    return running;
  }

  #update(running: Running, groups: readonly TargetGroup[]): void {
    if (running.abort.signal.aborted) return;
    const { metrics, kind } = this.#options;
    metrics.receivedUpdates.with(kind).add();
    for (const group of groups) {
      if (group.targets.length > 0) running.groups.set(group.source, group);
      else running.groups.delete(group.source);
    }
    for (const consumer of running.consumers) {
      this.#changed.add(consumer);
      this.#countTargets(consumer);
    }
    this.#tellSoon();
  }

  #tellSoon(): void {
    if (this.#timer) return;
    const { clock, metrics, kind, onChange } = this.#options;
    const wait = Math.max(FIRST_UPDATE_MS, this.#lastUpdate + UPDATE_INTERVAL_MS - clock.monotonic());
    this.#timer = clock.after(wait, () => {
      this.#timer = undefined;
      this.#lastUpdate = clock.monotonic();
      const changed = this.#changed;
      this.#changed = new Set();
      metrics.sentUpdates.with(kind).add();
      onChange(changed);
    });
  }
}
