// Keeps a copy of a kind of Kubernetes objects: lists them, then watches what changes, and lists again when the server has
// forgotten where the watch was. Errors are told and retried with growing pauses.

import { type Clock, sleep } from '#base/clock.ts';
import { OperatingError } from '#base/errors.ts';
import type { HttpClient } from '../http/client.ts';

export type KubernetesObject = {
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly {
      readonly kind: string;
      readonly name: string;
      readonly controller?: boolean;
    }[];
  };
};

export type WatchEvent = 'add' | 'update' | 'delete';

export type WatchOptions<T> = {
  readonly client: HttpClient;
  readonly clock: Clock;
  /** "https://10.0.0.1:443" */
  readonly server: string;
  /** "/api/v1/namespaces/x/pods" */
  readonly path: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** After every change of the copy. */
  readonly onEvent: (event: WatchEvent, key: string, object: T | undefined) => void;
  /** The copy is complete for the first time. */
  readonly onSynced: () => void;
  readonly onError: (error: unknown) => void;
};

const PAGE_LIMIT = 500;
const LIST_TIMEOUT_MS = 60_000;
const MAX_LIST_BYTES = 512 * 1024 * 1024;
/** The server ends a watch after this time; a new one goes on where it was. */
const WATCH_SECONDS = 300;
const MAX_EVENT_BYTES = 32 * 1024 * 1024;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

export const objectKey = (object: KubernetesObject): string =>
  object.metadata.namespace ? `${object.metadata.namespace}/${object.metadata.name}` : object.metadata.name;

export class ObjectWatch<T extends KubernetesObject> {
  /** By "namespace/name", or name where there are no namespaces. */
  readonly objects = new Map<string, T>();
  readonly #options: WatchOptions<T>;
  #isSynced = false;

  constructor(options: WatchOptions<T>) {
    this.#options = options;
  }

  /** Until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, onError } = this.#options;
    let pause = FIRST_PAUSE_MS;
    let version: string | undefined;
    while (!signal.aborted) {
      try {
        version ??= await this.#list(signal);
        if (!this.#isSynced) {
          this.#isSynced = true;
          this.#options.onSynced();
        }
        version = await this.#watch(version, signal);
        pause = FIRST_PAUSE_MS;
      } catch (error) {
        if (signal.aborted) break;
        onError(error);
        version = undefined;
        await sleep(clock, pause, signal).catch(() => {});
        pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      }
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { client } = this.#options;
    const found = new Map<string, T>();
    let proceed = '';
    let version = '';
    do {
      const reply = await client.call({
        url: this.#url({ limit: String(PAGE_LIMIT), ...(proceed ? { continue: proceed } : {}) }),
        headers: { accept: 'application/json' },
        timeoutMs: LIST_TIMEOUT_MS,
        maxBodyBytes: MAX_LIST_BYTES,
        signal,
      });
      const text = reply.body.toString('utf8');
      if (reply.status !== 200) throw statusError(reply.status, text, this.#options.path);
      const page = JSON.parse(text) as {
        metadata?: { resourceVersion?: string; continue?: string };
        items?: T[] | null;
      };
      for (const item of page.items ?? []) found.set(objectKey(item), item);
      version = page.metadata?.resourceVersion ?? '';
      proceed = page.metadata?.continue ?? '';
    } while (proceed !== '');
    for (const key of this.objects.keys()) if (!found.has(key)) this.#change('delete', key, undefined);
    for (const [key, object] of found) {
      const before = this.objects.get(key);
      const isSame = before && before.metadata.resourceVersion === object.metadata.resourceVersion;
      if (!isSame || before.metadata.resourceVersion === undefined)
        this.#change(before ? 'update' : 'add', key, object);
    }
    return version;
  }

  /** The version to go on from; undefined: the objects must be listed again. */
  async #watch(version: string, signal: AbortSignal): Promise<string | undefined> {
    const { client } = this.#options;
    const stream = await client.stream({
      url: this.#url({
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: version,
        timeoutSeconds: String(WATCH_SECONDS),
      }),
      headers: { accept: 'application/json' },
      timeoutMs: LIST_TIMEOUT_MS,
      maxBodyBytes: MAX_EVENT_BYTES,
      signal,
    });
    let current = version;
    for await (const line of linesOf(stream.body, MAX_EVENT_BYTES)) {
      if (stream.status !== 200) {
        if (stream.status === 410) return undefined;
        throw statusError(stream.status, line, this.#options.path);
      }
      const event = JSON.parse(line) as { type: string; object: T & { code?: number; message?: string } };
      switch (event.type) {
        case 'ADDED':
        case 'MODIFIED': {
          const key = objectKey(event.object);
          this.#change(this.objects.has(key) ? 'update' : 'add', key, event.object);
          break;
        }
        case 'DELETED':
          this.#change('delete', objectKey(event.object), undefined);
          break;
        case 'BOOKMARK':
          break;
        case 'ERROR':
          if (event.object.code === 410) return undefined;
          throw new OperatingError('kubernetes', `watch of ${this.#options.path}: ${event.object.message ?? 'error'}`);
      }
      current = event.object.metadata.resourceVersion ?? current;
    }
    if (stream.status !== 200) throw statusError(stream.status, '', this.#options.path);
    return current;
  }

  #change(event: WatchEvent, key: string, object: T | undefined): void {
    if (object) this.objects.set(key, object);
    else if (!this.objects.delete(key)) return;
    this.#options.onEvent(event, key, object);
  }

  #url(parameters: Record<string, string>): string {
    const { server, path, labelSelector, fieldSelector } = this.#options;
    const query = new URLSearchParams(parameters);
    if (labelSelector) query.set('labelSelector', labelSelector);
    if (fieldSelector) query.set('fieldSelector', fieldSelector);
    return `${server.replace(/\/$/, '')}${path}?${query}`;
  }
}

function statusError(status: number, text: string, path: string): OperatingError {
  let message = text.slice(0, 300);
  try {
    message = (JSON.parse(text) as { message?: string }).message ?? message;
  } catch {
    // Not a Status object: a proxy's page, say. Its beginning is what there is to tell.
  }
  return new OperatingError('kubernetes', `${path}: server returned ${status}: ${message}`);
}

async function* linesOf(body: AsyncIterable<Uint8Array>, maxBytes: number): AsyncIterable<string> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of body) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    let from = 0;
    for (let at = rest.indexOf(10, from); at >= 0; at = rest.indexOf(10, from)) {
      if (at > from) yield rest.toString('utf8', from, at);
      from = at + 1;
    }
    rest = rest.subarray(from);
    if (rest.length > maxBytes) throw new OperatingError('kubernetes', `an event is larger than ${maxBytes} bytes`);
  }
  if (rest.length > 0) yield rest.toString('utf8');
}
