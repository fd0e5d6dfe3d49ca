// Wires rules: files, groups from the API and shipped rules into one set, evaluated over all shards, stored through them,
// their alerts handed to the Alertmanagers.

import path from 'node:path';
import { backfill, type WriteOld } from '#alert/rules/backfill.ts';
import type { GroupConfig, RuleEngine } from '#alert/rules/contract.ts';
import { ruleEngine } from '#alert/rules/engine.ts';
import { ruleMetrics } from '#alert/rules/metrics.ts';
import { loadRuleFiles, RuleSet } from '#alert/rules/rules.ts';
import { applicable, linkRunbooks } from '#alert/rules/shipped.ts';
import { Slots } from '#alert/rules/slots.ts';
import { StoredRules } from '#alert/rules/stored.ts';
import { AlertSender } from '#alert/send/sender.ts';
import { type Clock, every, type Timer } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorText } from '#base/errors.ts';
import type { FlagValues } from '#base/flags.ts';
import type { Logger } from '#base/log.ts';
import type { Tracer } from '#clients/otlp/tracer.ts';
import { discoveryMetrics } from '#collect/discovery/metrics.ts';
import type { AlertSink } from '#model/alert.ts';
import type { Appender } from '#model/batch.ts';
import { labelsOf, METRIC_NAME } from '#model/labels.ts';
import type { FragmentSource } from '#model/query.ts';
import { Registry } from '#model/registry.ts';
import type { QueryDesk } from '#query/desk.ts';
import { DEFAULT_LIMITS, type QueryEngine } from '#query/engine.ts';
import { ShardedAppender } from '#scale/shards/append.ts';
import type { ShardPool } from '#scale/shards/pool.ts';
import { alertmanagerRoutes } from '#serve/alertmanagers.ts';
import type { Route } from '#serve/http.ts';
import { rulesRoutes } from '#serve/rules.ts';
import type { ServerConfig } from './config.ts';
import type { RULE_FLAGS } from './flags.ts';

export type RulingParts = {
  readonly flags: FlagValues<typeof RULE_FLAGS>;
  readonly engine: QueryEngine;
  readonly desk: QueryDesk;
  readonly source: FragmentSource;
  readonly shards: number;
  readonly pool: () => ShardPool;
  /** Takes samples that are too old for the shards' heads. */
  readonly writeOld: WriteOld;
  /** Where groups of the API are stored. */
  readonly folder: string;
  /** With the shipped rules. */
  readonly packageFolder: string;
  readonly externalUrl: string;
  readonly clock: Clock;
  readonly disk: Disk;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly tracer: Tracer;
};

/** How often it is looked which shipped rules apply, and how far back metrics count as there. */
const SHIPPED_CHECK_MS = 60_000;
/** By then the first scrapes of a new data folder are over. */
const SHIPPED_FIRST_MS = 20_000;
const SHIPPED_LOOK_BACK_MS = 3_600_000;

export class Ruling {
  readonly routes: readonly Route[];
  /** Beside the configured Alertmanagers: the one in the box. */
  readonly sinks: AlertSink[] = [];
  /** Discovery of Alertmanagers keeps its metrics apart from that of targets. */
  readonly discoveryRegistry = new Registry();
  readonly #parts: RulingParts;
  readonly #sender: AlertSender;
  readonly #rules: RuleSet;
  readonly #stored: StoredRules;
  readonly #appender: Appender;
  #config: ServerConfig | undefined;
  #shipped: readonly GroupConfig[] = [];
  /** One update after the other. */
  #updating: Promise<unknown> = Promise.resolve();
  #first: Timer | undefined;
  #timer: Timer | undefined;

  constructor(parts: RulingParts) {
    this.#parts = parts;
    const { flags, engine, source, pool, clock, disk, logger, registry } = parts;
    this.#appender = new ShardedAppender(parts.shards, (shard) => pool().way(shard));
    this.#sender = new AlertSender({
      queueCapacity: flags['alertmanager.notification-queue-capacity'],
      batchSize: flags['alertmanager.notification-batch-size'],
      drainOnShutdown: flags['alertmanager.drain-notification-queue-on-shutdown'],
      clock,
      disk,
      logger,
      registry,
      discoveryMetrics: discoveryMetrics(this.discoveryRegistry),
      environment: process.env,
      inBox: () => this.sinks.length,
    });
    const rules: RuleEngine = ruleEngine(engine, source, DEFAULT_LIMITS, parts.desk);
    const metrics = ruleMetrics(registry);
    this.#stored = new StoredRules(disk, parts.folder, { parse: engine.parseOptions });
    this.#rules = new RuleSet({
      engine: rules,
      appender: this.#appender,
      sink: {
        send: (alerts) => {
          this.#sender.send(alerts);
          for (const sink of this.sinks) sink.send(alerts);
        },
      },
      clock,
      disk,
      logger,
      metrics,
      parsing: { parse: engine.parseOptions },
      resendDelayMs: flags['rules.alert.resend-delay'],
      outageToleranceMs: flags['rules.alert.for-outage-tolerance'],
      forGracePeriodMs: flags['rules.alert.for-grace-period'],
      slots: new Slots(flags['rules.max-concurrent-evals']),
      tracer: parts.tracer,
      onExpansion: (failed) => {
        metrics.expansions.add();
        if (failed) metrics.expansionFailures.add();
      },
    });
    this.routes = [
      ...rulesRoutes({
        groups: () => this.#rules.groups(),
        engine: rules,
        clock,
        stored: { rules: this.#stored, apply: () => this.#update(this.#config!) },
        backfill: (group, range) => backfill(group, range, this.#appender, parts.writeOld),
      }),
      ...alertmanagerRoutes(this.#sender),
    ];
  }

  /** Puts a configuration in force. Rejects, and changes nothing, when a rule file is invalid. */
  async apply(config: ServerConfig): Promise<void> {
    await this.#update(config);
    this.#config = config;
    await this.#sender.apply(config.alerting, labelsOf(config.global.external_labels));
  }

  async start(): Promise<void> {
    await this.#checkShipped();
    this.#rules.start();
    this.#first = this.#parts.clock.after(SHIPPED_FIRST_MS, () => void this.#checkShipped(), true);
    this.#timer = every(this.#parts.clock, SHIPPED_CHECK_MS, () => this.#checkShipped());
  }

  async stop(): Promise<void> {
    this.#first?.cancel();
    this.#timer?.cancel();
    await this.#rules.stop();
    await this.#sender.stop();
  }

  #update(config: ServerConfig): Promise<void> {
    const update = this.#updating.then(() =>
      this.#rules.update(
        {
          files: config.ruleFiles,
          evaluationIntervalMs: config.global.evaluation_interval,
          queryOffsetMs: config.global.rule_query_offset,
          externalLabels: labelsOf(config.global.external_labels),
          externalUrl: this.#parts.externalUrl,
        },
        [...this.#stored.configs(), ...this.#shipped],
      ),
    );
    this.#updating = update.catch(() => {});
    return update;
  }

  async #checkShipped(): Promise<void> {
    const { flags, packageFolder, source, clock, disk, logger } = this.#parts;
    if (!flags['rules.shipped'] || !this.#config) return;
    try {
      const now = clock.now();
      const names = await source.labelValues(METRIC_NAME, [], { min: now - SHIPPED_LOOK_BACK_MS, max: now }, 0);
      const groups = loadRuleFiles(disk, [path.join(packageFolder, 'deploy', 'rules', '*.yml')]);
      const base = flags['rules.shipped.docs-url'] || `${this.#parts.externalUrl}/docs`;
      const next = linkRunbooks(applicable(groups, new Set(names)), base);
      if (JSON.stringify(next) === JSON.stringify(this.#shipped)) return;
      const count = next.reduce((sum, group) => sum + group.rules.length, 0);
      logger.info('shipped rules apply', { groups: next.length, rules: count });
      this.#shipped = next;
      await this.#update(this.#config);
    } catch (error) {
      logger.warn('cannot load shipped rules', { err: errorText(error) });
    }
  }
}
