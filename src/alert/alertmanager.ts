// The alertmanager: takes alerts, groups them by the routing tree, and tells receivers. It holds the parts together over
// reloads and restarts: alerts, silences, the notification log and the groups' timers are kept in journals.

import { createHash } from 'node:crypto';
import path from 'node:path';
import { type Clock, every, type Timer } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import { createHttpClient, type HttpClient } from '#clients/http/client.ts';
import type { HttpClientConfig } from '#clients/http/config.ts';
import type { Tracer } from '#clients/otlp/tracer.ts';
import type { Alert, AlertSink } from '#model/alert.ts';
import { equalLabels, type Labels } from '#model/labels.ts';
import type { Registry } from '#model/registry.ts';
import { type DryRun, dryRun } from './dry-run.ts';
import type { AlertEvent, EventGroup } from './events/events.ts';
import { Inhibitor } from './inhibit/inhibit.ts';
import { Journal, type Patch } from './journal.ts';
import { type KeptMetrics, keptMetrics } from './kept-metrics.ts';
import { type AlertmanagerFigures, type AlertmanagerMetrics, alertmanagerMetrics } from './metrics.ts';
import { type LogEntry, NotificationLog } from './notify/log.ts';
import { type NotificationEvent, Pipeline } from './notify/pipeline.ts';
import type { Receiver } from './notify/receiver.ts';
import { notificationTemplates, type Render, renderer } from './notify/render.ts';
import { renderRouteLabels } from './notify/route-labels.ts';
import type { PushSettings } from './proxy/push.ts';
import type { AlertReplicas } from './replicas.ts';
import type { AlertmanagerConfig } from './route/config.ts';
import { Groups, type GroupView } from './route/groups.ts';
import { buildTree, type Route } from './route/tree.ts';
import { glob } from './rules/glob.ts';
import { type Silence, Silences, silenceState } from './silence/silences.ts';
import { AlertStore, alertName, isResolved, type KnownAlert } from './store.ts';
import type { TemplateSet } from './template/template.ts';

export type AlertmanagerOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly disk: Disk;
  readonly logger: Logger;
  readonly registry: Registry;
  readonly folder: string;
  readonly externalUrl: string;
  readonly retentionMs: number;
  readonly gcIntervalMs: number;
  readonly maintenanceIntervalMs: number;
  readonly startDelayMs: number;
  readonly maxSilences: number;
  readonly maxSilenceBytes: number;
  readonly alertsPerName: number;
  readonly maxGroups: number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Names of --enable-feature. */
  readonly features: ReadonlySet<string>;
  readonly logSilences: boolean;
  readonly tracer?: Tracer;
  readonly record?: (event: AlertEvent) => void;
  /** Other alertmanagers to share with. */
  readonly replicas?: AlertReplicas;
};

export type AlertState = 'active' | 'suppressed' | 'unprocessed';
export type AlertStatus = {
  readonly state: AlertState;
  readonly silencedBy: readonly string[];
  readonly inhibitedBy: readonly string[];
  readonly mutedBy: readonly string[];
};

const ACTIVE: AlertStatus = { state: 'active', silencedBy: [], inhibitedBy: [], mutedBy: [] };
const UNPROCESSED: AlertStatus = { ...ACTIVE, state: 'unprocessed' };

/** One line of the history that people search. */
export type HistoryEntry = {
  readonly at: number;
  readonly receiver: string;
  readonly integration: string;
  readonly groupKey: string;
  readonly reason: string;
  readonly ok: boolean;
  readonly message: string;
  readonly alerts: readonly {
    readonly fingerprint: string;
    readonly name: string;
    readonly labels: Labels;
    readonly resolved: boolean;
  }[];
};

export type Acknowledgement = {
  readonly fingerprint: string;
  readonly by: string;
  readonly comment: string;
  readonly at: number;
};

const HISTORY_LIMIT = 10_000;
/** Of all entries together: large groups make for a shorter history, not for more memory. */
const HISTORY_ALERTS = 200_000;
/** How often alerts are written that were only repeated; a restart may see them this much older. */
const ALERTS_SAVE_MS = 5000;

type Running = {
  readonly config: AlertmanagerConfig;
  readonly tree: Route;
  readonly groups: Groups;
  readonly pipeline: Pipeline;
  readonly inhibitor: Inhibitor;
  readonly receivers: ReadonlyMap<string, Receiver>;
  readonly templates: TemplateSet;
  readonly render: Render;
  readonly unsubscribe: () => void;
  readonly clients: readonly HttpClient[];
};

export class Alertmanager implements AlertSink {
  readonly alerts: AlertStore;
  readonly silences: Silences;
  readonly startedAt: number;
  readonly #options: AlertmanagerOptions;
  readonly #metrics: AlertmanagerMetrics;
  readonly #record: (event: AlertEvent) => void;
  readonly #notifications: NotificationLog;
  readonly #journals: {
    readonly silences: Journal<Silence>;
    readonly notifications: Journal<LogEntry>;
    readonly alerts: Journal<KnownAlert>;
    readonly flushes: Journal<number>;
    readonly history: Journal<HistoryEntry>;
    readonly acknowledgements: Journal<Acknowledgement>;
  };
  readonly #kept: { readonly silences: KeptMetrics; readonly notifications: KeptMetrics };
  readonly #acknowledgements: Pick<Journal<Acknowledgement>, 'get' | 'set' | 'delete'>;
  readonly #timers: Timer[] = [];
  readonly #muted = new Map<string, readonly string[]>();
  readonly #seenByGroups = new Set<string>();
  #running: Running | undefined;
  #resolving: Timer | undefined;
  readonly #unsaved = new Map<string, KnownAlert>();
  #historySequence = 0;
  #historyAlerts = 0;

  constructor(options: AlertmanagerOptions) {
    const { clock, disk, logger, folder, registry } = options;
    this.#options = options;
    this.#record = options.record ?? (() => {});
    this.startedAt = clock.now();
    disk.makeFolder(folder);
    const journal = <V>(name: string) => new Journal<V>(path.join(folder, `${name}.journal`), disk, clock, logger);
    this.#journals = {
      silences: journal('silences'),
      notifications: journal('notifications'),
      alerts: journal('alerts'),
      flushes: journal('flushes'),
      history: journal('history'),
      acknowledgements: journal('acknowledgements'),
    };
    for (const [key, { alerts }] of this.#journals.history.entries()) {
      this.#historySequence = Math.max(this.#historySequence, Number(key) + 1);
      this.#historyAlerts += alerts.length;
    }
    const limits = { maxSilences: options.maxSilences, maxSizeBytes: options.maxSilenceBytes };
    const { replicas } = options;
    const shared = {
      silences: replicas?.share('silences', this.#journals.silences, (silence) => silence.updatedAt),
      notifications: replicas?.share('notifications', this.#journals.notifications, (entry) => entry.timestamp),
      acknowledgements: replicas?.share('acknowledgements', this.#journals.acknowledgements, ({ at }) => at),
    };
    this.#acknowledgements = shared.acknowledgements ?? this.#journals.acknowledgements;
    this.#kept = {
      silences: keptMetrics(
        registry,
        { prefix: 'silences', noun: 'silences', file: this.#journals.silences },
        clock,
        logger,
      ),
      notifications: keptMetrics(
        registry,
        { prefix: 'nflog', noun: 'entries of the notification log', file: this.#journals.notifications },
        clock,
        logger,
      ),
    };
    this.silences = new Silences(
      shared.silences ?? this.#journals.silences,
      limits,
      options.retentionMs,
      options.random,
      (change, silence) => {
        if (change !== 'expired') this.#record({ type: `silence_${change}`, silence });
        if (options.logSilences)
          logger.info(`silence ${change}`, { id: silence.id, by: silence.createdBy, comment: silence.comment });
      },
      this.#kept.silences.watch,
    );
    this.#notifications = new NotificationLog(
      shared.notifications ?? this.#journals.notifications,
      options.retentionMs,
      this.#kept.notifications.watch,
    );
    this.alerts = new AlertStore(options.alertsPerName);
    for (const alert of this.#journals.alerts.values()) this.alerts.put(alert, clock.now());
    this.alerts.subscribe((alert, isNew) => {
      this.#unsaved.set(alert.fingerprint, alert);
      if (isNew) this.#record({ type: 'alert_created', alert });
    });
    this.#unsaved.clear();
    this.#metrics = alertmanagerMetrics(registry, options.features, this.#figures());
    this.#timers.push(
      every(clock, ALERTS_SAVE_MS, () => this.#saveOrReport()),
      every(clock, options.gcIntervalMs, () => this.collect()),
      every(clock, Math.min(options.maintenanceIntervalMs, 60_000), () => this.#maintain()),
    );
  }

  /** Puts a configuration in force. Throws, changing nothing, if its templates cannot be read. */
  apply(config: AlertmanagerConfig): void {
    const { clock, disk, logger, random, externalUrl } = this.#options;
    const templates = this.#loadTemplates(config);
    const clients: HttpClient[] = [];
    const render = renderer(templates, externalUrl, (fingerprint) => this.acknowledgement(fingerprint));
    const context = {
      clock,
      disk,
      logger,
      environment: this.#options.environment,
      externalUrl,
      render,
      http: (http: HttpClientConfig | undefined) => {
        const client = createHttpClient(http, { clock, disk, environment: this.#options.environment });
        clients.push(client);
        return client;
      },
    };
    const receivers = new Map(
      config.receivers.map((spec): [string, Receiver] => [
        spec.name,
        {
          name: spec.name,
          labels: spec.labels,
          resolvedAtOnce: spec.resolvedAtOnce,
          onlyChanged: spec.onlyChanged,
          integrations: spec.build.map(({ make, index }) => make(context, index)),
        },
      ]),
    );
    const inhibitor = new Inhibitor(config.inhibitRules);
    const pipeline = new Pipeline({
      clock,
      random,
      logger,
      inhibitor,
      silences: this.silences,
      log: this.#notifications,
      intervals: config.intervals,
      receivers,
      metrics: this.#metrics.notify,
      tracer: this.#options.tracer,
      isAcknowledged: (fingerprint) => this.acknowledgement(fingerprint) !== undefined,
      renderRouteLabels: (flush, alerts) => renderRouteLabels(flush, alerts, render, logger),
      record: this.#record,
      waitForTurn: (signal) => this.#options.replicas?.waitForTurn(signal) ?? Promise.resolve(),
      onNotified: (event) => this.#remember(event),
      onMuted: (flush, names) => {
        if (names.length === 0) this.#muted.delete(flush.groupKey);
        else this.#muted.set(flush.groupKey, names);
      },
    });
    const tree = buildTree(config.route);
    const before = this.#running;
    before?.groups.stop();
    before?.unsubscribe();
    for (const client of before?.clients ?? []) client.close();
    this.#muted.clear();
    const groups = new Groups(tree, {
      clock,
      logger,
      notify: (flush, signal) => pipeline.run(flush, signal),
      notBefore: before ? 0 : this.startedAt + this.#options.startDelayMs,
      resumeAt: new Map(this.#journals.flushes.entries()),
      maxGroups: this.#options.maxGroups,
      onGrouped: (group, alert) => this.#record({ type: 'alert_grouped', alert, group: eventGroup(group) }),
      onResolved: (group, alert) => this.#record({ type: 'alert_resolved', alert, group: eventGroup(group) }),
      flushesResolved: (route) => receivers.get(route.settings.receiver)?.resolvedAtOnce ?? false,
      onFlushPlanned: (key, at) => {
        if (at === undefined) this.#journals.flushes.delete(key);
        else this.#journals.flushes.set(key, at);
      },
    });
    // Sources of inhibition first, so that nothing they mute leaks out.
    for (const alert of this.alerts.all()) inhibitor.update(alert);
    const handed = { inhibitor: this.#metrics.handedTo('inhibitor'), dispatcher: this.#metrics.handedTo('dispatcher') };
    const unsubscribe = this.alerts.subscribe((alert) => {
      handed.inhibitor.add();
      inhibitor.update(alert);
      handed.dispatcher.add();
      const began = clock.monotonic();
      groups.add(alert);
      this.#metrics.dispatched.observe((clock.monotonic() - began) / 1000);
      this.#seenByGroups.add(alert.fingerprint);
    });
    this.#metrics.notify.initialize(
      [...receivers.values()].flatMap(({ name, integrations }) =>
        integrations.map(({ kind }) => ({ kind, receiver: name })),
      ),
    );
    this.#running = { config, tree, groups, pipeline, inhibitor, receivers, templates, render, unsubscribe, clients };
  }

  get config(): AlertmanagerConfig | undefined {
    return this.#running?.config;
  }
  /** What the alert proxy needs of the configuration in force. */
  get pushSettings(): PushSettings {
    const { global } = this.#running!.config;
    const file = global.wechat_api_secret_file;
    const secret =
      global.wechat_api_secret ??
      (file ? new TextDecoder().decode(this.#options.disk.readFile(global.resolve(file))).trim() : '');
    return {
      botUrl: global.wecom_api_url,
      appUrl: global.wechat_api_url.replace(/\/$/, ''),
      corpId: global.wechat_api_corp_id ?? '',
      appSecret: secret,
      agentId: global.wechat_agent_id ?? '',
    };
  }
  /** Who shares with this one, itself included; undefined when it is alone by configuration. */
  get cluster():
    | { readonly name: string; readonly members: readonly string[]; readonly isConnected: boolean }
    | undefined {
    return this.#options.replicas;
  }
  get tree(): Route | undefined {
    return this.#running?.tree;
  }
  get receivers(): readonly Receiver[] {
    return [...(this.#running?.receivers.values() ?? [])];
  }

  /** From the rules of the same process. */
  send(alerts: readonly Alert[]): void {
    const now = this.#options.clock.now();
    for (const alert of alerts) this.receive(alert, alert.endsAt === 0, now);
  }

  /** Takes one valid alert. `timedOut`: its end is our guess. */
  receive(alert: Alert, timedOut: boolean, now: number): void {
    const endsAt = alert.endsAt === 0 ? now + (this.config?.global.resolve_timeout ?? 300_000) : alert.endsAt;
    const known = { ...alert, endsAt, updatedAt: now, timedOut };
    this.#metrics.received(endsAt <= now ? 'resolved' : 'firing').add();
    const stored = this.alerts.put(known, now);
    if (!stored) this.#metrics.limited(alertName(alert)).add();
    else if (this.#isNews(stored, now)) {
      this.#journals.alerts.set(stored.fingerprint, stored);
      this.#unsaved.delete(stored.fingerprint);
    }
    // Once for all alerts of a request.
    if (endsAt <= now) {
      this.#resolving ??= this.#options.clock.after(0, () => {
        this.#resolving = undefined;
        this.silences.endResolved(this.#firing(), this.#options.clock.now());
      });
    }
  }

  countInvalid(count: number): void {
    this.#metrics.invalid.add(count);
  }

  status(alert: KnownAlert): AlertStatus {
    const now = this.#options.clock.now();
    const inhibition = this.#running?.inhibitor.mutes(alert.labels, now);
    const silencedBy = this.silences.mute(alert, now);
    if (inhibition || silencedBy.length > 0)
      return { state: 'suppressed', silencedBy, inhibitedBy: inhibition ? [inhibition.by] : [], mutedBy: [] };
    return this.#seenByGroups.has(alert.fingerprint) ? ACTIVE : UNPROCESSED;
  }

  /** Names of the intervals that keep a group quiet now. */
  mutedBy(groupKey: string): readonly string[] {
    return this.#muted.get(groupKey) ?? [];
  }

  /** The labels that the group's route has for it now. */
  routeLabels(view: GroupView): Readonly<Record<string, string>> {
    const now = this.#options.clock.now();
    const flush = { route: view.route, groupKey: view.groupKey, groupLabels: view.labels, now };
    return renderRouteLabels(flush, view.alerts, this.#running!.render, this.#options.logger);
  }

  groups(): readonly GroupView[] {
    return this.#running?.groups.view() ?? [];
  }

  acknowledge(acknowledgement: Acknowledgement): void {
    this.#acknowledgements.set(acknowledgement.fingerprint, acknowledgement);
  }
  unacknowledge(fingerprint: string): void {
    this.#acknowledgements.delete(fingerprint);
  }
  acknowledgement(fingerprint: string): Acknowledgement | undefined {
    return this.#acknowledgements.get(fingerprint);
  }

  /** Newest first. */
  history(): readonly HistoryEntry[] {
    return [...this.#journals.history.values()].reverse();
  }

  /** What would happen to an alert with these labels now. */
  dryRun(labels: Labels, annotations: Labels): DryRun {
    const running = this.#running!;
    const render = renderer(running.templates, this.#options.externalUrl);
    return dryRun(
      { ...running, silences: this.silences, render, logger: this.#options.logger },
      labels,
      annotations,
      this.#options.clock.now(),
    );
  }

  #maintain(): void {
    const { silences, notifications } = this.#kept;
    const now = this.#options.clock.now();
    silences.maintain(() => silences.collect(() => this.silences.collect(this.#firing(), now)));
    notifications.maintain(() => notifications.collect(() => this.#notifications.collect(now)));
  }

  /** Forgets resolved alerts everywhere. */
  collect(): void {
    const now = this.#options.clock.now();
    for (const alert of this.alerts.collect(now)) {
      this.#journals.alerts.delete(alert.fingerprint);
      this.#acknowledgements.delete(alert.fingerprint);
      this.#unsaved.delete(alert.fingerprint);
      this.#seenByGroups.delete(alert.fingerprint);
    }
    this.#running?.inhibitor.collect(now);
    this.silences.collect(this.#firing(), now);
  }

  /** Writes alerts that changed: mostly they were said again, and only the times are new. */
  save(): void {
    const journal = this.#journals.alerts;
    const repeated: Patch<KnownAlert>[] = [];
    for (const alert of this.#unsaved.values()) {
      const saved = journal.get(alert.fingerprint);
      const isRepeated =
        saved !== undefined &&
        equalLabels(saved.labels, alert.labels) &&
        equalLabels(saved.annotations, alert.annotations) &&
        saved.generatorUrl === alert.generatorUrl;
      if (!isRepeated) {
        journal.set(alert.fingerprint, alert);
        continue;
      }
      const { startsAt, endsAt, updatedAt, timedOut } = alert;
      repeated.push({ key: alert.fingerprint, value: alert, patch: { startsAt, endsAt, updatedAt, timedOut } });
    }
    journal.patch(repeated);
    this.#unsaved.clear();
  }

  /** What could not be written is tried again with the next turn. */
  #saveOrReport(): void {
    try {
      this.save();
    } catch (error) {
      this.#options.logger.error('cannot save alerts', { err: errorText(error) });
    }
  }

  /** Must be on disk before the sender hears that it was taken: it may never say it again. Mere repetitions may wait. */
  #isNews(alert: KnownAlert, now: number): boolean {
    const saved = this.#journals.alerts.get(alert.fingerprint);
    return !saved || isResolved(saved, now) || isResolved(alert, now);
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#resolving?.cancel();
    // The planned flushes stay in their journal: stopping is no reason to forget them.
    const planned = [...this.#journals.flushes.entries()];
    this.#running?.groups.stop();
    for (const [key, at] of planned) if (!this.#journals.flushes.has(key)) this.#journals.flushes.set(key, at);
    this.#running?.unsubscribe();
    for (const client of this.#running?.clients ?? []) client.close();
    this.save();
    for (const journal of Object.values(this.#journals)) journal.close();
  }

  *#firing(): Iterable<KnownAlert> {
    const now = this.#options.clock.now();
    for (const alert of this.alerts.all()) if (!isResolved(alert, now)) yield alert;
  }

  #remember(event: NotificationEvent): void {
    const { history } = this.#journals;
    history.set(String(this.#historySequence++), {
      at: event.at,
      receiver: event.receiver,
      integration: event.integration,
      groupKey: event.groupKey,
      reason: event.reason,
      ok: event.delivery.ok,
      message: event.delivery.ok ? '' : event.delivery.message,
      alerts: event.alerts.map((alert) => ({
        fingerprint: alert.fingerprint,
        name: alertName(alert),
        labels: alert.labels,
        resolved: isResolved(alert, event.at),
      })),
    });
    this.#historyAlerts += event.alerts.length;
    while (history.size > HISTORY_LIMIT || (this.#historyAlerts > HISTORY_ALERTS && history.size > 1)) {
      const [key, oldest] = history.entries().next().value!;
      history.delete(key);
      this.#historyAlerts -= oldest.alerts.length;
    }
  }

  #loadTemplates(config: AlertmanagerConfig): TemplateSet {
    const { disk, clock } = this.#options;
    const texts = config.templates
      .flatMap((pattern) => glob(disk, pattern))
      .map((file) => ({
        name: path.basename(file),
        text: new TextDecoder().decode(disk.readFile(file)),
      }));
    return notificationTemplates(texts, clock);
  }

  #figures(): AlertmanagerFigures {
    const { clock, replicas, alertsPerName } = this.#options;
    const count = (alerts: Iterable<KnownAlert>) => {
      const states: Record<AlertState, number> = { active: 0, suppressed: 0, unprocessed: 0 };
      for (const alert of alerts) states[this.status(alert).state]++;
      return states;
    };
    const firing = (alerts: readonly KnownAlert[]) => alerts.filter((alert) => !isResolved(alert, clock.now()));
    return {
      alerts: (byGroup) =>
        byGroup
          ? this.groups().map(({ groupKey, alerts }) => ({ groupKey, states: count(firing(alerts)) }))
          : [{ groupKey: '', states: count(this.#firing()) }],
      silences: () => {
        const states = { active: 0, pending: 0, expired: 0 };
        for (const silence of this.silences.all()) states[silenceState(silence, clock.now())]++;
        return states;
      },
      groups: () => this.#running?.groups.size ?? 0,
      groupsLimited: () => this.#running?.groups.limited ?? 0,
      alertsPerName,
      receivers: () => this.receivers.length,
      integrations: () => this.receivers.reduce((sum, { integrations }) => sum + integrations.length, 0),
      inhibitRules: () => this.config?.inhibitRules.length ?? 0,
      // 48 bits, so that a double holds them.
      configHash: () =>
        createHash('md5')
          .update(this.config?.shown ?? '')
          .digest()
          .readUIntLE(0, 6),
      isClustered: replicas !== undefined,
      silenceIndex: () => this.silences.index,
    };
  }
}

const eventGroup = ({ groupKey, labels, route }: GroupView): EventGroup => ({
  key: groupKey,
  labels,
  receiver: route.settings.receiver,
});
