// The push gateway: owns the pushed state, refuses what would make the page inconsistent, lets groups expire, writes the state down,
// and shares it with replicas when there are some. All decisions are made by the pure functions beside it.

import type { Clock, Timer } from '#base/clock.ts';
import { every } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorText, OperatingError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { MetricFamily, WrittenFamily } from '#model/family.ts';
import { labelsOf } from '#model/labels.ts';
import { type Exposed, exposedFamilies } from '#wire/families/expose.ts';
import { FamilyError } from '#wire/families/text.ts';
import { applyFailure, applyPush, groupedLabels, isRepeated, type Push } from './apply.ts';
import { SeriesIndex } from './check.ts';
import { readPushFile, writePushFile } from './persist.ts';
import {
  gotByAll,
  isExpired,
  isLate,
  MAX_READERS,
  pullModeOf,
  READER_TIMEOUT_MS,
  readerAfter,
  tableKey,
  visible,
} from './pull.ts';
import type { Replicas } from './replicas.ts';
import {
  type Group,
  type GroupOptions,
  groupKey,
  type PushedFamily,
  type PushedMetric,
  type PushState,
  type Reader,
  type Table,
} from './state.ts';
import { applyTable, type TablePush } from './table.ts';

export type GatewayOptions = {
  /** '' keeps the state in memory only. */
  readonly persistenceFile: string;
  readonly persistenceIntervalMs: number;
  readonly isChecked: boolean;
  readonly defaults: GroupOptions;
};

export type PushRequest = Omit<Push, 'families' | 'now'> & {
  readonly families: readonly PushedFamily[];
  readonly hasTimestamps: boolean;
};

const TICK_MS = 1000;

export class Gateway {
  readonly #options: GatewayOptions;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** The gateway's own metrics: what is pushed must not contradict them. */
  readonly #own: () => readonly MetricFamily[];
  readonly #replicas: Replicas | undefined;
  readonly #groups = new Map<string, Group>();
  readonly #tables = new Map<string, Table>();
  readonly #readers = new Map<string, Reader>();
  readonly #index = new SeriesIndex();
  #ticking: Timer | undefined;
  #persistedAt: number;
  #isDirty = false;

  constructor(
    options: GatewayOptions,
    disk: Disk,
    clock: Clock,
    log: Logger,
    own: () => readonly MetricFamily[],
    replicas?: Replicas,
  ) {
    this.#options = options;
    this.#disk = disk;
    this.#clock = clock;
    this.#log = log;
    this.#own = own;
    this.#replicas = replicas;
    this.#persistedAt = clock.now();
  }

  get state(): PushState {
    return { groups: this.#groups, tables: this.#tables, readers: this.#readers };
  }

  /** Reads what was kept, joins the replicas, and begins to watch time. */
  async start(): Promise<void> {
    if (this.#options.persistenceFile !== '') this.#restore(this.#options.persistenceFile);
    await this.#replicas?.start({
      group: (key, group) => this.#setGroup(key, group),
      table: (name, table) => this.#setTable(name, table),
      reader: (name, reader) => (reader ? this.#readers.set(name, reader) : this.#readers.delete(name)),
    });
    this.#ticking = every(this.#clock, TICK_MS, () => this.tick());
  }

  async stop(): Promise<void> {
    this.#ticking?.cancel();
    await this.#replicas?.stop();
    this.#persist();
  }

  /** Throws a FamilyError when the push is refused; the group then carries the time of the failure. */
  async push(request: PushRequest): Promise<void> {
    const key = groupKey(request.labels);
    const families = request.families.map((family) => ({
      ...family,
      metrics: family.metrics.map((metric) => ({
        labels: groupedLabels(metric.labels, request.labels),
        value: metric.value,
      })),
    }));
    const problem = await this.#changeGroup(key, (before) => {
      const now = this.#clock.now();
      if (isRepeated(before, request.pushId)) return { group: before, problem: undefined };
      const after = applyPush(before, { ...request, families, now }, this.#options.defaults);
      let problem = request.hasTimestamps ? 'pushed metrics must not have timestamps' : undefined;
      if (this.#options.isChecked) problem ??= this.#index.problem(key, after, this.#taken());
      if (problem === undefined) return { group: after, problem };
      return { group: applyFailure(before, request.labels, now, this.#options.defaults), problem };
    });
    if (problem !== undefined && this.#options.isChecked)
      throw new FamilyError(`pushed metrics are invalid or inconsistent with existing metrics: ${problem}`);
  }

  async remove(labels: Readonly<Record<string, string>>): Promise<void> {
    await this.#changeGroup(groupKey(labels), () => ({ group: undefined, problem: undefined }));
  }

  async wipe(): Promise<void> {
    for (const group of [...this.#groups.values()]) await this.remove(group.labels);
    for (const name of [...this.#tables.keys()]) await this.#changeTable(name, () => undefined);
  }

  /** All metrics of a request, or none: a mistake in one refuses the request before anything changes. */
  async pushTables(pushes: readonly TablePush[]): Promise<void> {
    const now = this.#clock.now();
    for (const push of pushes) {
      applyTable(this.#tables.get(push.name), push, now);
      for (const group of this.#groups.values()) {
        if (group.families[push.name] || this.#own().some((family) => family.name === push.name))
          throw new FamilyError(`cannot store metric "${push.name}": the name is in use by pushed or own metrics`);
      }
    }
    for (const push of pushes) await this.#changeTable(push.name, (before) => applyTable(before, push, now));
  }

  /**
   * The page as this reader gets it. A name makes it a reader for which pull modes hold; `sent` is called when the page has
   * reached it. Without a name everything is shown and nothing consumed.
   */
  page(readerName: string | undefined): { families: WrittenFamily[]; sent: () => Promise<void> } {
    const now = this.#clock.now();
    const before = readerName === undefined ? undefined : this.#readers.get(readerName);
    const exposed = new Map<string, Exposed>();
    const ownHelp = new Map(this.#own().map((family) => [family.name, family.help] as const));
    for (const [key, group] of this.#groups) {
      const got = readerName === undefined ? undefined : (before?.got[key] ?? 0);
      exposeGroup(exposed, group, got, ownHelp, now);
    }
    for (const table of this.#tables.values()) {
      const got = readerName === undefined ? undefined : (before?.got[tableKey(table.name)] ?? 0);
      exposeTable(exposed, table, got);
    }
    const after = readerName === undefined ? undefined : readerAfter(this.state, before, now);
    return {
      families: exposedFamilies(exposed.values()),
      sent: async () => {
        if (after !== undefined && Object.keys(after.got).length > 0) await this.#setReader(readerName!, after);
      },
    };
  }

  /** Whether any reader has to be told apart at all. */
  get hasPullModes(): boolean {
    for (const group of this.#groups.values()) if (group.options.pull !== 'keep') return true;
    for (const table of this.#tables.values()) if (pullModeOf(table) !== 'keep') return true;
    return false;
  }

  /** Lets groups expire, forgets what every reader has got, and writes the state when it is time. */
  async tick(): Promise<void> {
    const now = this.#clock.now();
    for (const [key, group] of this.#groups) {
      if (isExpired(group, now)) {
        this.#log.info('group expired', { labels: group.labels, ttl_ms: group.options.ttlMs });
        await this.#report(this.#changeGroup(key, (current) => keepUnless(current, (one) => isExpired(one, now))));
      } else if (group.options.pull === 'clear') {
        const got = gotByAll(this.#readers, key, now);
        const isStale = (one: Group) =>
          Object.values(one.families).some((family) => family.changed.some((version) => version <= (got ?? 0)));
        if (got !== undefined && isStale(group))
          await this.#report(
            this.#changeGroup(key, (current) => ({ group: current && withoutGot(current, got), problem: undefined })),
          );
      }
    }
    for (const [name, reader] of this.#readers)
      if (now - reader.seenAt > READER_TIMEOUT_MS * 6) this.#readers.delete(name);
    if (this.#isDirty && now - this.#persistedAt >= this.#options.persistenceIntervalMs) this.#persist();
  }

  async #report(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.#log.warn('cannot tidy a group now', { err: errorText(error) });
    }
  }

  /** Names that groups must not contradict: the gateway's own metrics and the tables. */
  #taken(): MetricFamily[] {
    const tables = [...this.#tables.keys()].map(
      (name): MetricFamily => ({ name, type: 'gauge', help: '', samples: [] }),
    );
    return [...this.#own(), ...tables];
  }

  async #changeGroup(
    key: string,
    change: (before: Group | undefined) => { group: Group | undefined; problem: string | undefined },
  ): Promise<string | undefined> {
    if (!this.#replicas) {
      const { group, problem } = change(this.#groups.get(key));
      this.#setGroup(key, group);
      return problem;
    }
    let problem: string | undefined;
    await this.#replicas.changeGroup(key, (before) => {
      const result = change(before);
      problem = result.problem;
      return result.group;
    });
    return problem;
  }

  async #changeTable(name: string, change: (before: Table | undefined) => Table | undefined): Promise<void> {
    if (this.#replicas) await this.#replicas.changeTable(name, change);
    else this.#setTable(name, change(this.#tables.get(name)));
  }

  async #setReader(name: string, reader: Reader): Promise<void> {
    if (!this.#readers.has(name) && this.#readers.size >= MAX_READERS) {
      const oldest = [...this.#readers].sort((a, b) => a[1].seenAt - b[1].seenAt)[0]!;
      this.#readers.delete(oldest[0]);
    }
    if (this.#replicas) await this.#replicas.setReader(name, reader);
    this.#readers.set(name, reader);
    this.#isDirty = true;
  }

  #setGroup(key: string, group: Group | undefined): void {
    const before = this.#groups.get(key);
    if (before === group) return;
    this.#index.replace(key, before, group);
    if (group) this.#groups.set(key, group);
    else this.#groups.delete(key);
    this.#isDirty = true;
  }

  #setTable(name: string, table: Table | undefined): void {
    if (table) this.#tables.set(name, table);
    else this.#tables.delete(name);
    this.#isDirty = true;
  }

  #restore(path: string): void {
    try {
      const restored = readPushFile(this.#disk, path, this.#options.defaults);
      for (const [key, group] of restored?.groups ?? []) this.#setGroup(key, group);
      for (const [name, table] of restored?.tables ?? []) this.#setTable(name, table);
      for (const [name, reader] of restored?.readers ?? []) this.#readers.set(name, reader);
      this.#isDirty = false;
      if (restored?.takenOver === undefined) return;
      this.#log.info("took over Pushgateway's persisted metrics", { file: path, kept_as: restored.takenOver });
      // From here on the file is ours.
      this.#isDirty = true;
      this.#persist();
    } catch (error) {
      if (!(error instanceof OperatingError)) throw error;
      // Nothing is lost: the file is put aside, and the next write makes a new one.
      const aside = `${path}.unreadable`;
      this.#disk.remove(aside);
      this.#disk.rename(path, aside);
      this.#log.error('could not load persisted metrics', { err: errorText(error), kept_as: aside });
    }
  }

  #persist(): void {
    const path = this.#options.persistenceFile;
    this.#persistedAt = this.#clock.now();
    if (path === '' || !this.#isDirty) return;
    try {
      writePushFile(this.#disk, path, this.state);
      this.#isDirty = false;
      this.#log.info('metrics persisted', { file: path });
    } catch (error) {
      this.#log.error('error persisting metrics', { err: errorText(error) });
    }
  }
}

function keepUnless(
  group: Group | undefined,
  test: (group: Group) => boolean,
): { group: Group | undefined; problem: undefined } {
  return { group: group && test(group) ? undefined : group, problem: undefined };
}

/** A clear-after-pull group without the series that every reader has got. */
function withoutGot(group: Group, got: number): Group {
  const families = Object.values(group.families).flatMap((family) => {
    const kept = family.changed.map((version) => version > got);
    const metrics = family.metrics.filter((_, i) => kept[i]);
    const changed = family.changed.filter((_, i) => kept[i]);
    return metrics.length > 0 ? [[family.name, { ...family, metrics, changed }] as const] : [];
  });
  return { ...group, families: Object.fromEntries(families) };
}

function exposeGroup(
  exposed: Map<string, Exposed>,
  group: Group,
  got: number | undefined,
  ownHelp: ReadonlyMap<string, string>,
  now: number,
): void {
  const labels = groupedLabels([], group.labels);
  const own = (name: string, help: string, number: number) =>
    exposeInto(exposed, name, 'gauge', help, [{ labels, value: { kind: 'number', number } }]);
  own(
    'push_time_seconds',
    'When the group was last pushed successfully, seconds since the epoch.',
    group.pushedAt / 1000,
  );
  own(
    'push_failure_time_seconds',
    'When a push to the group last failed, seconds since the epoch.',
    group.failedAt / 1000,
  );
  const isDown = isLate(group, now);
  if (group.options.intervalMs > 0) own('push_up', 'Whether the pusher keeps its promised interval.', isDown ? 0 : 1);
  if (isDown) return;
  for (const family of Object.values(group.families))
    exposeInto(
      exposed,
      family.name,
      family.type,
      ownHelp.get(family.name) ?? family.help,
      visible(family.metrics, family.changed, group.options.pull, got),
    );
}

function exposeTable(exposed: Map<string, Exposed>, table: Table, got: number | undefined): void {
  const metrics = table.rows.map((row): PushedMetric => {
    const labels = labelsOf(Object.fromEntries(table.labelNames.map((name, i) => [name, row.values[i]!])));
    return { labels, value: { kind: 'number', number: row.value } };
  });
  const changed = table.rows.map((row) => row.changed);
  exposeInto(exposed, table.name, 'gauge', table.describe, visible(metrics, changed, pullModeOf(table), got));
}

function exposeInto(
  exposed: Map<string, Exposed>,
  name: string,
  type: PushedFamily['type'],
  help: string,
  metrics: readonly PushedMetric[],
): void {
  const family = exposed.get(name);
  if (family) for (const metric of metrics) family.metrics.push(metric);
  else exposed.set(name, { name, type, help, metrics: [...metrics] });
}
