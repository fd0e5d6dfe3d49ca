// Groups: alerts of one route with equal group labels, told of together. A group waits `groupWait` before its first message,
// then looks every `groupInterval` whether there is something to say. Resolved alerts leave a group once they were told of.

import type { Clock, Timer } from '#base/clock.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { type Labels, labelsKey, quote } from '#model/labels.ts';
import { isResolved, type KnownAlert } from '../store.ts';
import { groupLabels, matchRoutes, type Route, walkRoutes } from './tree.ts';

/** A group at the moment it is flushed. */
export type Flush = {
  readonly route: Route;
  readonly groupKey: string;
  readonly groupLabels: Labels;
  readonly alerts: readonly KnownAlert[];
  readonly now: number;
  /** What is not delivered by then is given up. */
  readonly timeoutMs: number;
};

export type GroupsOptions = {
  readonly clock: Clock;
  readonly logger: Logger;
  /** True when every receiver was told, or had nothing to be told. */
  readonly notify: (flush: Flush, signal: AbortSignal) => Promise<boolean>;
  /** When alerts of a restart may first be told of: the senders repeat them before that. */
  readonly notBefore: number;
  /** Groups a flush was cut off in, or none: `groupKey` -> time of the next flush before the restart. */
  readonly resumeAt?: ReadonlyMap<string, number>;
  readonly maxGroups: number;
  /** Whether groups of this route are flushed as soon as an alert resolves. */
  readonly flushesResolved: (route: Route) => boolean;
  readonly onGrouped?: (group: GroupView, alert: KnownAlert) => void;
  /** A resolution was told of. */
  readonly onResolved?: (group: GroupView, alert: KnownAlert) => void;
  readonly onFlushPlanned?: (groupKey: string, at: number | undefined) => void;
};

export type GroupView = {
  readonly route: Route;
  readonly groupKey: string;
  readonly labels: Labels;
  readonly alerts: readonly KnownAlert[];
};

type Group = {
  readonly route: Route;
  readonly labels: Labels;
  readonly labelsKey: string;
  readonly key: string;
  readonly alerts: Map<string, KnownAlert>;
  timer: Timer | undefined;
  nextAt: number;
  /** When the first of its alerts may resolve; only kept for routes that flush then. */
  resolveTimer: Timer | undefined;
  resolvesAt: number;
  hasFlushed: boolean;
  flushing: AbortController | undefined;
  /** A flush was due while another one was under way. */
  isOverdue: boolean;
};

/** A flush gets at least this long, however short the group's interval. */
const MIN_FLUSH_MS = 10_000;

export class Groups {
  readonly #tree: Route;
  readonly #options: GroupsOptions;
  readonly #groups = new Map<string, Group>();
  #stopped = false;
  #limited = 0;

  constructor(tree: Route, options: GroupsOptions) {
    this.#tree = tree;
    this.#options = options;
  }

  get size(): number {
    return this.#groups.size;
  }

  /** Alerts that found no place because of the limit on groups. */
  get limited(): number {
    return this.#limited;
  }

  add(alert: KnownAlert): void {
    for (const route of matchRoutes(this.#tree, alert.labels)) this.#insert(route, alert);
  }

  /** The groups of all routes, in the order of routes and labels. */
  view(): GroupView[] {
    const order = new Map([...walkRoutes(this.#tree)].map((route, index) => [route.id, index]));
    return [...this.#groups.values()]
      .sort((a, b) => order.get(a.route.id)! - order.get(b.route.id)! || (a.labelsKey < b.labelsKey ? -1 : 1))
      .map(viewOf);
  }

  /** Ends all timers and what is being sent. */
  stop(): void {
    this.#stopped = true;
    for (const group of this.#groups.values()) {
      group.timer?.cancel();
      group.resolveTimer?.cancel();
      group.flushing?.abort(new Error('the alertmanager is stopping or its configuration changes'));
    }
    this.#groups.clear();
  }

  #insert(route: Route, alert: KnownAlert): void {
    const labels = groupLabels(route, alert.labels);
    const sortKey = labelsKey(labels);
    const id = `${route.id}\xfe${sortKey}`;
    const now = this.#options.clock.now();
    let group = this.#groups.get(id);
    if (!group) {
      if (this.#options.maxGroups > 0 && this.#groups.size >= this.#options.maxGroups) {
        this.#limited++;
        this.#options.logger.error('too many groups: alert not routed', {
          limit: this.#options.maxGroups,
          alert: formatGroupLabels(alert.labels),
        });
        return;
      }
      const key = groupKeyOf(route, labels);
      const resumed = this.#options.resumeAt?.get(key);
      group = {
        route,
        labels,
        labelsKey: sortKey,
        key,
        alerts: new Map(),
        timer: undefined,
        nextAt: 0,
        resolveTimer: undefined,
        resolvesAt: Number.POSITIVE_INFINITY,
        hasFlushed: resumed !== undefined,
        flushing: undefined,
        isOverdue: false,
      };
      this.#groups.set(id, group);
      const wait = Math.max(resumed ?? now + route.settings.groupWaitMs, this.#options.notBefore, now);
      this.#plan(id, group, wait);
    }
    const isNew = !group.alerts.has(alert.fingerprint);
    group.alerts.set(alert.fingerprint, alert);
    if (isNew) this.#options.onGrouped?.(viewOf(group), alert);
    if (this.#options.flushesResolved(route)) this.#watchResolution(id, group, alert.endsAt);
    // An alert older than the wait needs none: the first message goes out at once.
    const { groupWaitMs } = route.settings;
    if (!group.hasFlushed && alert.startsAt + groupWaitMs < now) {
      this.#plan(id, group, Math.max(now, this.#options.notBefore));
    }
  }

  #plan(id: string, group: Group, at: number): void {
    group.timer?.cancel();
    group.nextAt = at;
    this.#options.onFlushPlanned?.(group.key, at);
    group.timer = this.#options.clock.after(at - this.#options.clock.now(), () => void this.#flush(id, group), true);
  }

  /** Looks again when an alert may have resolved. Its end moves while it fires, so that it is read anew then. */
  #watchResolution(id: string, group: Group, at: number): void {
    if (at >= group.resolvesAt || at === 0) return;
    group.resolveTimer?.cancel();
    group.resolvesAt = at;
    const { clock, notBefore } = this.#options;
    const check = () => {
      const now = clock.now();
      group.resolvesAt = Number.POSITIVE_INFINITY;
      const ends = [...group.alerts.values()].map(({ endsAt }) => endsAt);
      for (const end of ends) if (end > now) this.#watchResolution(id, group, end);
      // Before the first message there is nothing to take back.
      const isDue =
        group.hasFlushed && !group.flushing && group.nextAt > now && ends.some((end) => end <= now && end > 0);
      if (isDue) this.#plan(id, group, Math.max(now, notBefore));
    };
    group.resolveTimer = clock.after(Math.max(0, at - clock.now()), check, true);
  }

  async #flush(id: string, group: Group): Promise<void> {
    if (this.#stopped) return;
    const { clock, logger } = this.#options;
    const now = clock.now();
    const { groupIntervalMs } = group.route.settings;
    group.hasFlushed = true;
    this.#plan(id, group, now + groupIntervalMs);
    if (group.flushing) {
      // The one before is still being delivered, to a receiver that hangs: the next one follows as soon as it is given up.
      group.isOverdue = true;
      return;
    }
    const resolved = new Map<string, KnownAlert>();
    const alerts: KnownAlert[] = [];
    for (const alert of group.alerts.values()) {
      if (isResolved(alert, now)) {
        resolved.set(alert.fingerprint, alert);
        alerts.push(alert);
      } else alerts.push({ ...alert, endsAt: 0 });
    }
    if (alerts.length === 0) return this.#close(id, group);
    alerts.sort(byJobAndLabels);
    const timeoutMs = Math.max(MIN_FLUSH_MS, groupIntervalMs);
    group.flushing = new AbortController();
    const deadline = clock.after(
      timeoutMs,
      () => group.flushing?.abort(new Error(`not delivered within ${timeoutMs} ms`)),
      true,
    );
    try {
      const flush: Flush = {
        route: group.route,
        groupKey: group.key,
        groupLabels: group.labels,
        alerts,
        now,
        timeoutMs,
      };
      if (await this.#options.notify(flush, group.flushing.signal)) {
        for (const [key, alert] of resolved) {
          this.#options.onResolved?.(viewOf(group), alert);
          if (group.alerts.get(key) === alert) group.alerts.delete(key);
        }
        if (group.alerts.size === 0) this.#close(id, group);
      }
    } catch (error) {
      logger.error('cannot notify', { group: group.key, err: errorText(error) });
    } finally {
      deadline.cancel();
      group.flushing = undefined;
      if (group.isOverdue && !this.#stopped && this.#groups.get(id) === group) this.#plan(id, group, clock.now());
      group.isOverdue = false;
    }
  }

  #close(id: string, group: Group): void {
    group.timer?.cancel();
    group.resolveTimer?.cancel();
    this.#groups.delete(id);
    this.#options.onFlushPlanned?.(group.key, undefined);
  }
}

const viewOf = (group: Group): GroupView => ({
  route: group.route,
  groupKey: group.key,
  labels: group.labels,
  get alerts() {
    return [...group.alerts.values()];
  },
});

/** Names a group for good: in the notification log, in messages. */
export const groupKeyOf = (route: Route, labels: Labels): string => `${route.key}:${formatGroupLabels(labels)}`;

/** As upstream writes group labels in keys: {a="b", c="d"}. */
export function formatGroupLabels(labels: Labels): string {
  const parts: string[] = [];
  for (let i = 0; i < labels.length; i += 2) parts.push(`${labels[i]}=${quote(labels[i + 1]!)}`);
  return `{${parts.join(', ')}}`;
}

/** Upstream's order: by job, then instance, then the rest of the labels. */
function byJobAndLabels(a: KnownAlert, b: KnownAlert): number {
  for (const name of ['job', 'instance']) {
    const order = compare(labelOf(a, name), labelOf(b, name));
    if (order !== 0) return order;
  }
  return compare(labelsKey(a.labels), labelsKey(b.labels));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const labelOf = (alert: KnownAlert, name: string): string => {
  const at = alert.labels.findIndex((label, index) => index % 2 === 0 && label === name);
  return at < 0 ? '' : alert.labels[at + 1]!;
};
