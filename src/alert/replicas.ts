// Several alertmanagers that share silences, acknowledgements and the notification log through etcd. Each keeps everything in its own
// journal and works from it, so that it goes on alone when etcd is away; what changed meanwhile is exchanged when it is back, the
// younger version of an entry winning. Members take turns in notifying, so that the first one's log entry reaches the others.

import { type Clock, sleep } from '#base/clock.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { EtcdClient, EtcdEntry } from '#clients/etcd/etcd.ts';
import { clusterFigures } from './cluster-metrics.ts';
import type { Journal } from './journal.ts';

const LEASE_SECONDS = 15;
const KEEP_ALIVE_MS = 5000;
const RETRY_MS = 1000;

export type ReplicasOptions = {
  readonly client: EtcdClient;
  /** Keys lie below it. */
  readonly prefix: string;
  /** Unique among the members; the order of names is the order of turns. */
  readonly name: string;
  /** How long a member waits for each one before it. */
  readonly peerTimeoutMs: number;
  /** How long notifications wait at the start for what the others know. */
  readonly settleTimeoutMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
};

type Receiver = {
  learn(key: string, text: string): void;
  forget(key: string): void;
  /** Everything that is there, for an exchange after a break. */
  local(): Iterable<[string, string]>;
  isYounger(text: string, than: string): boolean;
};

export class AlertReplicas {
  readonly #options: ReplicasOptions;
  readonly #tables = new Map<string, Receiver>();
  readonly #abort = new AbortController();
  readonly #members = new Set<string>();
  /** Changes that etcd does not have yet; undefined deletes. */
  readonly #outbox = new Map<string, string | undefined>();
  #wake: () => void = () => {};
  #running: Promise<unknown> = Promise.resolve();
  readonly figures = clusterFigures();
  #isConnected = false;
  #wasLost = false;
  #settle: () => void = () => {};
  /** Resolves once the others' knowledge is here, or cannot be had. */
  readonly #settled = new Promise<void>((resolve) => {
    this.#settle = resolve;
  });

  constructor(options: ReplicasOptions) {
    this.#options = options;
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  get name(): string {
    return this.#options.name;
  }

  get members(): readonly string[] {
    return [...this.#members].sort();
  }

  /** How many members notify before this one. */
  get position(): number {
    return Math.max(0, this.members.indexOf(this.#options.name));
  }

  /** Changes that the others do not have yet. */
  get waiting(): number {
    return this.#outbox.size;
  }

  start(): void {
    this.#options.clock.after(this.#options.settleTimeoutMs, this.#settle, true);
    this.#running = Promise.all([this.#follow(), this.#publishAll(), this.#stayMember()]);
  }

  async stop(): Promise<void> {
    // What others should know goes out first, if etcd is there to take it.
    if (this.#isConnected) await this.#flush().catch(() => {});
    this.#abort.abort(new Error('stopping'));
    this.#settle();
    this.#wake();
    await this.#running;
    await this.#options.client.close();
  }

  async waitForTurn(signal: AbortSignal): Promise<void> {
    await this.#settled;
    const wait = this.position * this.#options.peerTimeoutMs;
    if (wait > 0) await sleep(this.#options.clock, wait, signal);
  }

  /** The journal, with every change told to the others and theirs written to it. */
  share<V>(name: string, journal: Journal<V>, ageOf: (value: V) => number): SharedTable<V> {
    const parse = (text: string) => JSON.parse(text) as V;
    this.#tables.set(name, {
      learn: (key, text) => {
        const value = parse(text);
        const known = journal.get(key);
        if (known === undefined || ageOf(value) > ageOf(known)) journal.set(key, value);
      },
      forget: (key) => journal.delete(key),
      *local() {
        for (const [key, value] of journal.entries()) yield [key, JSON.stringify(value)];
      },
      isYounger: (text, than) => ageOf(parse(text)) > ageOf(parse(than)),
    });
    return new SharedTable(journal, (key, value) =>
      this.#publish(name, key, value === undefined ? undefined : JSON.stringify(value)),
    );
  }

  #keyOf(table: string, key: string): string {
    return `${this.#options.prefix}/${table}/${encodeURIComponent(key)}`;
  }

  #publish(table: string, key: string, text: string | undefined): void {
    this.#outbox.set(this.#keyOf(table, key), text);
    this.#wake();
  }

  async #publishAll(): Promise<void> {
    const { clock, logger } = this.#options;
    const { signal } = this.#abort;
    while (!signal.aborted) {
      if (this.#outbox.size === 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        continue;
      }
      try {
        await this.#flush();
      } catch (error) {
        if (signal.aborted) return;
        logger.warn('cannot tell the other alertmanagers; it is tried again', {
          err: errorText(error),
          waiting: this.#outbox.size,
        });
        await sleep(clock, RETRY_MS, signal).catch(() => {});
      }
    }
  }

  async #flush(): Promise<void> {
    for (const [key, text] of [...this.#outbox]) {
      if (text === undefined) await this.#options.client.delete(key);
      else await this.#options.client.put(key, text);
      note(this.figures.sent.update, key, text);
      // A newer change of the same key stays.
      if (this.#outbox.get(key) === text) this.#outbox.delete(key);
    }
  }

  async #follow(): Promise<void> {
    const { client, prefix, clock, logger } = this.#options;
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        const { entries, revision } = await client.list(`${prefix}/`);
        this.#exchange(entries);
        this.#connected();
        this.#settle();
        await client.watch(
          `${prefix}/`,
          revision,
          (events) => {
            this.#connected();
            for (const { kind, entry } of events) {
              const text = kind === 'put' ? entry.value : undefined;
              note(this.figures.received.update, entry.key, text);
              this.#learn(entry.key, text);
            }
          },
          (all) => this.#exchange(all),
          (error) => {
            this.#disconnected();
            logger.warn('cannot follow the other alertmanagers', { err: errorText(error) });
          },
          signal,
        );
      } catch (error) {
        if (signal.aborted) return;
        this.#disconnected();
        this.#settle();
        logger.warn('etcd cannot be reached; this alertmanager goes on alone', { err: errorText(error) });
        await sleep(clock, RETRY_MS, signal).catch(() => {});
      }
    }
  }

  #connected(): void {
    if (this.#wasLost) this.figures.reconnections++;
    this.#wasLost = false;
    this.#isConnected = true;
  }

  #disconnected(): void {
    if (this.#wasLost) this.figures.failedReconnections++;
    this.#wasLost = true;
    this.#isConnected = false;
  }

  /** After a break: learns what is younger there, tells what is younger here. */
  #exchange(entries: readonly EtcdEntry[]): void {
    const there = new Map(entries.map((entry) => [entry.key, entry.value]));
    for (const member of [...this.#members]) {
      if (!there.has(this.#keyOf('members', member))) this.#memberChanged(member, false);
    }
    for (const [key, text] of there) {
      note(this.figures.received.full_state, key, text);
      this.#learn(key, text);
    }
    for (const [name, table] of this.#tables) {
      for (const [key, text] of table.local()) {
        const known = there.get(this.#keyOf(name, key));
        if (known !== undefined && !table.isYounger(text, known)) continue;
        note(this.figures.sent.full_state, key, text);
        this.#publish(name, key, text);
      }
    }
  }

  #learn(fullKey: string, text: string | undefined): void {
    const [table, encoded] = fullKey.slice(this.#options.prefix.length + 1).split('/') as [string, string?];
    if (encoded === undefined) return;
    const key = decodeURIComponent(encoded);
    if (table === 'members') {
      this.#memberChanged(key, text !== undefined);
      return;
    }
    try {
      if (text === undefined) this.#tables.get(table)?.forget(key);
      else this.#tables.get(table)?.learn(key, text);
    } catch (error) {
      this.#options.logger.error('cannot understand what another alertmanager wrote', {
        key: fullKey,
        err: errorText(error),
      });
    }
  }

  #memberChanged(name: string, isThere: boolean): void {
    if (isThere === this.#members.has(name)) return;
    if (isThere) this.#members.add(name);
    else this.#members.delete(name);
    if (name === this.#options.name) return;
    if (isThere) this.figures.joined++;
    else this.figures.left++;
  }

  async #stayMember(): Promise<void> {
    const { client, prefix, name, clock } = this.#options;
    const { signal } = this.#abort;
    let lease: string | undefined;
    while (!signal.aborted) {
      try {
        if (lease === undefined || !(await client.keepAlive(lease))) {
          lease = await client.grantLease(LEASE_SECONDS);
          await client.put(`${prefix}/members/${encodeURIComponent(name)}`, name, lease);
        }
      } catch {
        // #follow reports that etcd is away; here it only means to try again.
        lease = undefined;
      }
      await sleep(clock, KEEP_ALIVE_MS, signal).catch(() => {});
    }
    if (lease !== undefined) await client.revokeLease(lease).catch(() => {});
  }
}

function note(traffic: { count: number; bytes: number }, key: string, text: string | undefined): void {
  traffic.count++;
  traffic.bytes += key.length + (text?.length ?? 0);
}

/** A journal that tells of its changes. */
export class SharedTable<V> {
  readonly #journal: Journal<V>;
  readonly #tell: (key: string, value: V | undefined) => void;

  constructor(journal: Journal<V>, tell: (key: string, value: V | undefined) => void) {
    this.#journal = journal;
    this.#tell = tell;
  }

  get(key: string): V | undefined {
    return this.#journal.get(key);
  }
  values(): IterableIterator<V> {
    return this.#journal.values();
  }
  get size(): number {
    return this.#journal.size;
  }
  get version(): number {
    return this.#journal.version;
  }
  set(key: string, value: V): void {
    this.#journal.set(key, value);
    this.#tell(key, value);
  }
  delete(key: string): void {
    if (!this.#journal.has(key)) return;
    this.#journal.delete(key);
    this.#tell(key, undefined);
  }
}
