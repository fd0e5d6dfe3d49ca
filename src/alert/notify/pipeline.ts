// The way from a flushed group to its receivers: inhibited alerts drop out, then those whose route is inactive or muted at
// this time, then silenced ones; each integration is told only what it does not know yet, again and again until it worked or
// the time is up.

import { type Clock, sleep } from '#base/clock.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { Random } from '#base/random.ts';
import type { Tracer } from '#clients/otlp/tracer.ts';
import type { AlertEvent } from '../events/events.ts';
import type { Inhibitor } from '../inhibit/inhibit.ts';
import type { Flush } from '../route/groups.ts';
import { containsTime, type TimeInterval } from '../route/intervals.ts';
import type { Silences } from '../silence/silences.ts';
import { isResolved, type KnownAlert } from '../store.ts';
import { changedSince, type LogEntry, type NotificationLog, type NotifyReason, reasonToNotify } from './log.ts';
import type { NotifyMetrics } from './metrics.ts';
import type { Delivery, Integration, Receiver } from './receiver.ts';

export type PipelineOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly inhibitor: Inhibitor;
  readonly silences: Silences;
  readonly log: NotificationLog;
  readonly intervals: ReadonlyMap<string, readonly TimeInterval[]>;
  readonly receivers: ReadonlyMap<string, Receiver>;
  readonly metrics: NotifyMetrics;
  readonly tracer: Tracer | undefined;
  /** Somebody is on it: it is not repeated while all alerts of a group are acknowledged. */
  readonly isAcknowledged: (fingerprint: string) => boolean;
  readonly renderRouteLabels: (flush: Flush, alerts: readonly KnownAlert[]) => Readonly<Record<string, string>>;
  /** Replicas take turns, so that the first one's log entry reaches the others. */
  readonly waitForTurn: (signal: AbortSignal) => Promise<void>;
  readonly record: (event: AlertEvent) => void;
  /** Told after each attempt's end, for history. */
  readonly onNotified?: (event: NotificationEvent) => void;
  readonly onMuted?: (flush: Flush, why: readonly string[]) => void;
};

/** What one integration is to be told now. */
type Message = {
  readonly sent: readonly KnownAlert[];
  readonly changed: ReadonlySet<string>;
  readonly reason: NotifyReason;
};

export type NotificationEvent = {
  readonly receiver: string;
  readonly integration: string;
  readonly groupKey: string;
  readonly reason: NotifyReason;
  readonly alerts: readonly KnownAlert[];
  readonly delivery: Delivery;
  readonly at: number;
};

const RETRY_MIN_MS = 500;
const RETRY_MAX_MS = 60_000;

export class Pipeline {
  readonly #options: PipelineOptions;

  constructor(options: PipelineOptions) {
    this.#options = options;
  }

  /** True when every integration knows what it should. */
  async run(flush: Flush, signal: AbortSignal): Promise<boolean> {
    const span = this.#options.tracer?.begin('dispatch.AggregationGroup.flush', 'internal');
    const attributes = {
      'alerting.aggregation_group.key': flush.groupKey,
      'alerting.alerts.count': flush.alerts.length,
    };
    if (!span) return this.#run(flush, signal);
    try {
      const told = await this.#options.tracer!.within(span, () => this.#run(flush, signal));
      span.end(attributes, told ? '' : 'notification failed');
      return told;
    } catch (error) {
      span.end(attributes, errorText(error));
      throw error;
    }
  }

  async #run(flush: Flush, signal: AbortSignal): Promise<boolean> {
    const { inhibitor, silences, metrics, logger } = this.#options;
    const { suppress } = metrics;
    const { record } = this.#options;
    let alerts = flush.alerts.filter((alert) => {
      const inhibition = inhibitor.mutes(alert.labels, flush.now);
      if (inhibition) record({ type: 'inhibition_muted_alert', ...inhibition, alert });
      return !inhibition;
    });
    suppress('inhibition', flush.alerts.length - alerts.length);
    if (alerts.length === 0) return true;
    const muted = this.mutedIntervals(flush);
    if (muted) {
      suppress(muted.reason, alerts.length);
      this.#options.onMuted?.(flush, muted.names);
      return true;
    }
    this.#options.onMuted?.(flush, []);
    const audible = alerts.filter((alert) => {
      const muting = silences.mute(alert, flush.now);
      for (const id of muting) record({ type: 'silence_muted_alert', silence: silences.get(id), alert });
      return muting.length === 0;
    });
    suppress('silence', alerts.length - audible.length);
    alerts = audible;
    if (alerts.length === 0) return true;
    const receiver = this.#options.receivers.get(flush.route.settings.receiver);
    if (!receiver) {
      logger.error('BUG: no such receiver', { receiver: flush.route.settings.receiver });
      return false;
    }
    const routeLabels = this.#options.renderRouteLabels(flush, alerts);
    const outcomes = await Promise.all(
      receiver.integrations.map((integration) => this.#tell(flush, receiver, integration, alerts, routeLabels, signal)),
    );
    return outcomes.every(Boolean);
  }

  /** The intervals that keep the route quiet now, if any. */
  mutedIntervals(
    flush: Pick<Flush, 'route' | 'now'>,
  ): { readonly reason: string; readonly names: readonly string[] } | undefined {
    const { activeIntervals, muteIntervals } = flush.route.settings;
    const isIn = (name: string) =>
      (this.#options.intervals.get(name) ?? []).some((interval) => containsTime(interval, flush.now));
    if (activeIntervals.length > 0 && !activeIntervals.some(isIn))
      return { reason: 'active_time_interval', names: activeIntervals };
    const muting = muteIntervals.filter(isIn);
    return muting.length > 0 ? { reason: 'mute_time_interval', names: muting } : undefined;
  }

  async #tell(
    flush: Flush,
    receiver: Receiver,
    integration: Integration,
    alerts: readonly KnownAlert[],
    routeLabels: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { log, clock } = this.#options;
    await this.#options.waitForTurn(signal);
    const key = `${receiver.name}/${integration.kind}/${integration.index}`;
    const firing = new Set(alerts.filter((a) => !isResolved(a, flush.now)).map((a) => a.fingerprint));
    const resolved = new Set(alerts.filter((a) => isResolved(a, flush.now)).map((a) => a.fingerprint));
    const entry = log.find(flush.groupKey, key);
    const { repeatIntervalMs } = flush.route.settings;
    const reason = reasonToNotify(entry, firing, resolved, integration.sendResolved, repeatIntervalMs, flush.now);
    if (!reason) return true;
    const isRepetition = reason === 'repeat interval elapsed';
    if (isRepetition && [...firing].every((alert) => this.#options.isAcknowledged(alert))) return true;
    const changed = changedSince(entry, firing, resolved);
    const sent = alerts.filter(
      ({ fingerprint }) =>
        (integration.sendResolved || firing.has(fingerprint)) &&
        (!receiver.onlyChanged || isRepetition || changed.has(fingerprint)),
    );
    let delivery: Delivery = { ok: true };
    if (sent.length > 0) {
      delivery = await this.#deliver(
        flush,
        receiver,
        integration,
        { sent, changed, reason },
        routeLabels,
        entry,
        signal,
      );
      this.#options.onNotified?.({
        receiver: receiver.name,
        integration: integration.kind,
        groupKey: flush.groupKey,
        reason,
        alerts: sent,
        delivery,
        at: clock.now(),
      });
    }
    if (!delivery.ok) return false;
    if (sent.length > 0) {
      this.#options.record({
        type: 'notification',
        group: { key: flush.groupKey, labels: flush.groupLabels, receiver: receiver.name },
        alerts: sent,
        firing: [...firing],
        resolved: [...resolved],
        repeatIntervalMs,
        reason,
        integration,
      });
    }
    log.record(
      {
        groupKey: flush.groupKey,
        receiver: key,
        timestamp: flush.now,
        firing: [...firing],
        resolved: [...resolved],
        ...((delivery.data ?? entry?.data) ? { data: (delivery.data ?? entry?.data)! } : {}),
      },
      repeatIntervalMs,
    );
    return true;
  }

  async #deliver(
    flush: Flush,
    receiver: Receiver,
    integration: Integration,
    { sent, changed, reason }: Message,
    routeLabels: Readonly<Record<string, string>>,
    entry: LogEntry | undefined,
    signal: AbortSignal,
  ): Promise<Delivery> {
    const { metrics, clock, logger, random } = this.#options;
    const target = { kind: integration.kind, receiver: receiver.name };
    metrics.attempt(target);
    const started = clock.monotonic();
    let delivery: Delivery = { ok: false, retry: false, reason: 'other', message: 'not tried' };
    let pause = RETRY_MIN_MS;
    for (let attempt = 1; ; attempt++) {
      metrics.request(target);
      try {
        delivery = await integration.notify(
          {
            receiver: receiver.name,
            groupKey: flush.groupKey,
            groupLabels: flush.groupLabels,
            routeLabels,
            alerts: sent,
            changed,
            reason,
            now: flush.now,
            truncated: 0,
            previous: reason === 'first notification' ? {} : (entry?.data ?? {}),
          },
          signal,
        );
      } catch (error) {
        delivery = { ok: false, retry: !signal.aborted, reason: 'other', message: errorText(error) };
      }
      if (delivery.ok) {
        if (attempt > 1)
          logger.info('notified after several attempts', {
            receiver: receiver.name,
            integration: integration.kind,
            attempts: attempt,
          });
        break;
      }
      metrics.failRequest(target);
      if (!delivery.retry || signal.aborted) break;
      if (attempt === 1)
        logger.warn('notification failed, trying again', {
          receiver: receiver.name,
          integration: integration.kind,
          err: delivery.message,
        });
      try {
        await sleep(clock, pause * (0.5 + random.next()), signal);
      } catch {
        delivery = { ...delivery, reason: 'contextDeadlineExceeded' };
        break;
      }
      pause = Math.min(RETRY_MAX_MS, pause * 1.5);
    }
    const tookMs = clock.monotonic() - started;
    metrics.latency(target, tookMs / 1000);
    this.#options.tracer?.record(
      'notify.Integration.Notify',
      'client',
      tookMs,
      {
        'alerting.notify.integration.name': integration.kind,
        'alerting.notify.integration.index': integration.index,
        'alerting.receiver.name': receiver.name,
        'alerting.alerts.count': sent.length,
      },
      delivery.ok ? '' : delivery.message,
    );
    if (!delivery.ok) {
      metrics.fail(target, delivery.reason);
      logger.error('cannot notify', {
        receiver: receiver.name,
        integration: `${integration.kind}[${integration.index}]`,
        group: flush.groupKey,
        err: delivery.message,
      });
    }
    return delivery;
  }
}
