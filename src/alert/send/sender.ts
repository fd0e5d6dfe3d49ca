// Hands alerts to every Alertmanager that is configured or discovered, each through a queue of its own, so that one that is
// slow or away delays only itself. External labels and relabeling come first.

import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import type { Logger } from '#base/log.ts';
import { createHttpClient, type HttpClient } from '#clients/http/client.ts';
import { Discoveries } from '#collect/discovery/discoveries.ts';
import type { DiscoveryMetrics } from '#collect/discovery/metrics.ts';
import { compileRules, type Relabel } from '#collect/relabel/relabel.ts';
import type { Alert, AlertSink } from '#model/alert.ts';
import { equalLabels, type Labels, labelsFrom, labelValue } from '#model/labels.ts';
import type { Registry } from '#model/registry.ts';
import type { TargetGroup } from '#model/target.ts';
import type { AlertingSection, AlertmanagerConfig } from './config.ts';
import { type SendMetrics, sendMetrics } from './metrics.ts';
import { SendQueue } from './queue.ts';

export const DEFAULT_QUEUE_CAPACITY = 10_000;
export const DEFAULT_BATCH_SIZE = 256;

export type SenderOptions = {
  readonly queueCapacity: number;
  readonly batchSize: number;
  readonly drainOnShutdown: boolean;
  readonly clock: Clock;
  readonly disk: Disk;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly discoveryMetrics: DiscoveryMetrics;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Alertmanagers in this process, which get alerts without being asked over HTTP; they count as discovered. */
  readonly inBox?: () => number;
};

type Receivers = {
  readonly config: AlertmanagerConfig;
  readonly client: HttpClient;
  readonly relabelAlert: Relabel;
  readonly queues: Map<string, SendQueue>;
  dropped: readonly string[];
};

export class AlertSender implements AlertSink {
  readonly #options: SenderOptions;
  readonly #metrics: SendMetrics;
  readonly #discoveries: Discoveries;
  #sets = new Map<string, Receivers>();
  #externalLabels: Labels = [];
  #relabel: Relabel = (labels) => labels;
  #stopped = false;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#metrics = sendMetrics(options.registry, () => this.active().length + (options.inBox?.() ?? 0));
    this.#metrics.queueCapacity.set(options.queueCapacity);
    this.#discoveries = new Discoveries({
      clock: options.clock,
      disk: options.disk,
      log: options.logger,
      metrics: options.discoveryMetrics,
      environment: options.environment,
      kind: 'notify',
      onChange: (names) => {
        for (const name of names) this.#sync(name);
      },
    });
  }

  /** Sets whose configuration stays keep their Alertmanagers and what waits for them. */
  async apply(section: AlertingSection, externalLabels: Labels): Promise<void> {
    this.#externalLabels = externalLabels;
    this.#relabel = compileRules(section.alertRelabelRules);
    const free = new Map([...this.#sets.values()].map((set) => [JSON.stringify(set.config), set]));
    const sets = new Map<string, Receivers>();
    section.alertmanagers.forEach((config, index) => {
      const key = JSON.stringify(config);
      const kept = free.get(key);
      free.delete(key);
      sets.set(`config-${index}`, kept ?? this.#newSet(config));
    });
    this.#sets = sets;
    const wanted = [...sets].map(([name, { config }]) => [name, config.discoveries] as const);
    this.#discoveries.apply(new Map(wanted));
    for (const name of sets.keys()) this.#sync(name);
    await Promise.all([...free.values()].map((set) => this.#end(set)));
  }

  send(alerts: readonly Alert[]): void {
    if (this.#stopped) return;
    const relabeled = relabelAlerts(alerts, this.#relabel, this.#externalLabels);
    if (relabeled.length === 0) return;
    for (const { relabelAlert, queues } of this.#sets.values()) {
      const own = relabelAlerts(relabeled, relabelAlert, []);
      if (own.length > 0) for (const queue of queues.values()) queue.add(own);
    }
  }

  /** URLs that alerts are posted to. */
  active(): string[] {
    return [...this.#sets.values()].flatMap(({ queues }) => [...queues.keys()]);
  }

  /** URLs that relabeling dropped. */
  dropped(): string[] {
    return [...this.#sets.values()].flatMap(({ dropped }) => dropped);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#discoveries.stop();
    await Promise.all([...this.#sets.values()].map((set) => this.#end(set)));
  }

  #newSet(config: AlertmanagerConfig): Receivers {
    const { clock, disk, environment } = this.#options;
    return {
      config,
      client: createHttpClient(config.http, { clock, disk, environment }),
      relabelAlert: compileRules(config.alertRelabelRules),
      queues: new Map(),
      dropped: [],
    };
  }

  async #end(set: Receivers): Promise<void> {
    await Promise.all([...set.queues.values()].map((queue) => queue.stop(this.#options.drainOnShutdown)));
    set.client.close();
  }

  #sync(name: string): void {
    const set = this.#sets.get(name);
    if (!set) return;
    const found = new Set<string>();
    const dropped = new Set<string>();
    const relabel = compileRules(set.config.relabelRules);
    for (const group of this.#discoveries.groupsOf(name)) {
      for (const target of group.targets) {
        const discovered = targetLabels(target, group, set.config);
        const kept = relabel(discovered);
        if (!kept) dropped.add(urlOf(discovered));
        else if (/^$|\//.test(labelValue(kept, '__address__')))
          this.#options.logger.error('Creating discovered Alertmanagers failed', {
            err: `${JSON.stringify(labelValue(kept, '__address__'))} is not a valid hostname`,
          });
        else found.add(urlOf(kept));
      }
    }
    set.dropped = [...dropped];
    for (const url of found) if (!set.queues.has(url)) set.queues.set(url, this.#newQueue(url, set));
    for (const [url, queue] of set.queues) {
      if (found.has(url)) continue;
      set.queues.delete(url);
      void queue.stop(this.#options.drainOnShutdown);
    }
  }

  #newQueue(url: string, { client, config }: Receivers): SendQueue {
    const { queueCapacity, batchSize, clock, logger } = this.#options;
    const metrics = this.#metrics;
    const { timeoutMs } = config;
    return new SendQueue(url, { capacity: queueCapacity, batchSize, timeoutMs, client, clock, logger, metrics });
  }
}

function targetLabels(
  target: Readonly<Record<string, string>>,
  group: TargetGroup,
  config: AlertmanagerConfig,
): Labels {
  const prefix = config.pathPrefix.replace(/^\/+|\/+$/g, '');
  return labelsFrom([
    ...Object.entries(group.labels),
    ['__scheme__', config.scheme],
    ['__alerts_path__', `${prefix === '' ? '' : `/${prefix}`}/api/v2/alerts`],
    ...Object.entries(target),
  ]);
}

const urlOf = (labels: Labels): string =>
  `${labelValue(labels, '__scheme__')}://${labelValue(labels, '__address__')}${labelValue(labels, '__alerts_path__')}`;

function relabelAlerts(alerts: readonly Alert[], relabel: Relabel, externalLabels: Labels): Alert[] {
  return alerts.flatMap((alert) => {
    const labels = relabel(withExternal(alert.labels, externalLabels));
    if (!labels) return [];
    return [equalLabels(labels, alert.labels) ? alert : { ...alert, labels }];
  });
}

function withExternal(labels: Labels, external: Labels): Labels {
  if (external.length === 0) return labels;
  const pairs: [string, string][] = [];
  for (const flat of [external, labels]) {
    for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i]!, flat[i + 1]!]);
  }
  return labelsFrom(pairs);
}
