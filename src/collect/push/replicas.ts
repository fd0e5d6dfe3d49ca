// Several gateways over one state in etcd: a push is acknowledged when etcd has it, and every replica follows all changes. Conflicting
// writes are found by the key's revision and done again on what is there, so nothing pushed to another replica is lost.

import { errorText, OperatingError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { EtcdClient } from '#clients/etcd/etcd.ts';
import { decodeGroup, decodeReader, decodeTable, encodeGroup, encodeReader, encodeTable } from './codec.ts';
import { type Group, groupKey, type Reader, type Table } from './state.ts';

const MAX_ATTEMPTS = 50;

export type ReplicaListener = {
  group(key: string, group: Group | undefined): void;
  table(name: string, table: Table | undefined): void;
  reader(name: string, reader: Reader | undefined): void;
};

type Kind = 'group' | 'table' | 'reader';
type Known = { readonly revision: number; readonly value: string | undefined };

export class Replicas {
  readonly #client: EtcdClient;
  readonly #prefix: string;
  readonly #log: Logger;
  readonly #abort = new AbortController();
  /** What this replica knows of each key below the prefix. */
  readonly #known = new Map<string, Known>();
  #listener: ReplicaListener | undefined;
  #watching: Promise<void> | undefined;

  constructor(client: EtcdClient, prefix: string, log: Logger) {
    this.#client = client;
    this.#prefix = prefix.replace(/\/$/, '');
    this.#log = log;
  }

  async start(listener: ReplicaListener): Promise<void> {
    this.#listener = listener;
    const { entries, revision } = await this.#client.list(`${this.#prefix}/`);
    for (const entry of entries) this.#learn(entry.key, entry.revision, entry.value);
    this.#watching = this.#client.watch(
      `${this.#prefix}/`,
      revision,
      (events) => {
        for (const { kind, entry } of events)
          this.#learn(entry.key, entry.revision, kind === 'put' ? entry.value : undefined);
      },
      (all) => this.#reset(all),
      (error) => this.#log.warn('cannot follow the other gateways', { err: errorText(error) }),
      this.#abort.signal,
    );
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#watching;
    await this.#client.close();
  }

  changeGroup(key: string, change: (before: Group | undefined) => Group | undefined): Promise<void> {
    return this.#change(this.#keyOf('group', key), (text) => {
      const before = text === undefined ? undefined : decodeGroup(text);
      const after = change(before);
      if (after === before) return text;
      return after && encodeGroup(after);
    });
  }

  changeTable(name: string, change: (before: Table | undefined) => Table | undefined): Promise<void> {
    return this.#change(this.#keyOf('table', name), (text) => {
      const after = change(text === undefined ? undefined : decodeTable(text));
      return after && encodeTable(after);
    });
  }

  setReader(name: string, reader: Reader): Promise<void> {
    return this.#change(this.#keyOf('reader', name), () => encodeReader(reader));
  }

  async #change(key: string, change: (before: string | undefined) => string | undefined): Promise<void> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const known = this.#known.get(key) ?? { revision: 0, value: undefined };
      const before = known.value;
      const after = change(before);
      if (after === before) return;
      const revision = before === undefined ? 0 : known.revision;
      const result = await this.#client.replace(key, revision, after);
      if (result.done) {
        this.#learn(key, result.revision, after);
        return;
      }
      this.#learnNow(key, result.entry?.revision ?? 0, result.entry?.value);
    }
    throw new OperatingError(
      'conflict',
      `cannot share ${key}: other gateways changed it ${MAX_ATTEMPTS} times meanwhile`,
    );
  }

  #keyOf(kind: Kind, name: string): string {
    return `${this.#prefix}/${kind}/${encodeURIComponent(name)}`;
  }

  /** Takes over a change unless a newer one is known. */
  #learn(key: string, revision: number, value: string | undefined): void {
    if (revision >= (this.#known.get(key)?.revision ?? 0)) this.#learnNow(key, revision, value);
  }

  #learnNow(key: string, revision: number, value: string | undefined): void {
    if (value === undefined && revision === 0) this.#known.delete(key);
    else this.#known.set(key, { revision, value });
    this.#tell(key, value);
  }

  #tell(key: string, value: string | undefined): void {
    const [kind, encoded] = key.slice(this.#prefix.length + 1).split('/') as [string, string?];
    if (encoded === undefined) return;
    const name = decodeURIComponent(encoded);
    try {
      if (kind === 'group') {
        const group = value === undefined ? undefined : decodeGroup(value);
        this.#listener?.group(group ? groupKey(group.labels) : name, group);
      } else if (kind === 'table') this.#listener?.table(name, value === undefined ? undefined : decodeTable(value));
      else if (kind === 'reader') this.#listener?.reader(name, value === undefined ? undefined : decodeReader(value));
    } catch (error) {
      this.#log.error('cannot understand what another gateway wrote', { key, err: errorText(error) });
    }
  }

  #reset(entries: readonly { key: string; value: string; revision: number }[]): void {
    const present = new Set(entries.map((entry) => entry.key));
    for (const key of [...this.#known.keys()]) if (!present.has(key)) this.#learnNow(key, 0, undefined);
    for (const entry of entries) this.#learn(entry.key, entry.revision, entry.value);
  }
}
