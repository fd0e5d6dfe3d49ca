// A client of etcd v3 through its JSON gateway: ranges, conditional writes, leases, and watches that resume where they were
// cut off. Keys and values are text here; on the wire they are base64.

import type { Agent } from 'undici';
import { type Clock, sleep } from '#base/clock.ts';
import { errorText, OperatingError } from '#base/errors.ts';

export type EtcdOptions = {
  /** "http://host:2379"; the next one is tried when one does not answer. */
  readonly endpoints: readonly string[];
  readonly timeoutMs: number;
  readonly username?: string;
  readonly password?: string;
};

/** `revision` is that of the key's last change; 0 for a key that does not exist. */
export type EtcdEntry = { readonly key: string; readonly value: string; readonly revision: number };
export type EtcdEvent = { readonly kind: 'put' | 'delete'; readonly entry: EtcdEntry };

type WireEntry = { key: string; value?: string; mod_revision?: string };
type WatchAnswer = {
  result?: {
    header?: { revision?: string };
    compact_revision?: string;
    canceled?: boolean;
    cancel_reason?: string;
    events?: { type?: string; kv: WireEntry }[];
  };
  error?: { message?: string };
};

const RETRY_MS = 1000;
const MAX_WATCH_LINE_BYTES = 64 * 1024 * 1024;

const encode = (text: string) => Buffer.from(text).toString('base64');
const decode = (text: string | undefined) => Buffer.from(text ?? '', 'base64').toString('utf8');

/** The key after all keys that begin with the prefix. */
function endOfPrefix(prefix: string): string {
  const bytes = Buffer.from(prefix);
  for (let i = bytes.length - 1; i >= 0; i--)
    if (bytes[i]! < 255) {
      bytes[i]!++;
      return bytes.subarray(0, i + 1).toString('base64');
    }
  return Buffer.from([0]).toString('base64');
}

const toEntry = (wire: WireEntry): EtcdEntry => ({
  key: decode(wire.key),
  value: decode(wire.value),
  revision: Number(wire.mod_revision ?? 0),
});

export class EtcdClient {
  readonly #options: EtcdOptions;
  readonly #clock: Clock;
  #agent: Agent | undefined;
  #preferred = 0;
  #token: string | undefined;

  constructor(options: EtcdOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  async close(): Promise<void> {
    await this.#agent?.destroy();
  }

  /** Loads the HTTP library with the first request: whoever has no etcd does without. */
  async #http() {
    const { Agent, request } = await import('undici');
    this.#agent ??= new Agent({ keepAliveTimeout: 30_000, headersTimeout: 0, bodyTimeout: 0 });
    return { request, dispatcher: this.#agent };
  }

  async get(key: string): Promise<EtcdEntry | undefined> {
    const answer = (await this.#call('/v3/kv/range', { key: encode(key) })) as { kvs?: WireEntry[] };
    return answer.kvs?.[0] && toEntry(answer.kvs[0]);
  }

  /** Every key with the prefix, and the store's revision, from which a watch misses nothing. */
  async list(prefix: string): Promise<{ entries: EtcdEntry[]; revision: number }> {
    const answer = (await this.#call('/v3/kv/range', { key: encode(prefix), range_end: endOfPrefix(prefix) })) as {
      kvs?: WireEntry[];
      header?: { revision?: string };
    };
    return { entries: (answer.kvs ?? []).map(toEntry), revision: Number(answer.header?.revision ?? 0) };
  }

  async put(key: string, value: string, lease?: string): Promise<void> {
    await this.#call('/v3/kv/put', { key: encode(key), value: encode(value), ...(lease ? { lease } : {}) });
  }

  async delete(key: string): Promise<void> {
    await this.#call('/v3/kv/deleterange', { key: encode(key) });
  }

  /**
   * Writes, or deletes when `value` is undefined, only if the key is still at `revision` (0: does not exist). Otherwise
   * changes nothing and gives what is there now.
   */
  async replace(
    key: string,
    revision: number,
    value: string | undefined,
    lease?: string,
  ): Promise<{ done: true; revision: number } | { done: false; entry: EtcdEntry | undefined }> {
    const change =
      value === undefined
        ? { request_delete_range: { key: encode(key) } }
        : { request_put: { key: encode(key), value: encode(value), ...(lease ? { lease } : {}) } };
    const answer = (await this.#call('/v3/kv/txn', {
      compare: [{ key: encode(key), target: 'MOD', result: 'EQUAL', mod_revision: String(revision) }],
      success: [change],
      failure: [{ request_range: { key: encode(key) } }],
    })) as {
      succeeded?: boolean;
      header?: { revision?: string };
      responses?: { response_range?: { kvs?: WireEntry[] } }[];
    };
    if (answer.succeeded) return { done: true, revision: Number(answer.header?.revision ?? 0) };
    const wire = answer.responses?.[0]?.response_range?.kvs?.[0];
    return { done: false, entry: wire && toEntry(wire) };
  }

  /** A lease; keys put with it vanish when it is not kept alive. */
  async grantLease(ttlSeconds: number): Promise<string> {
    const answer = (await this.#call('/v3/lease/grant', { TTL: String(ttlSeconds) })) as { ID: string };
    return answer.ID;
  }

  /** False when the lease has run out. */
  async keepAlive(lease: string): Promise<boolean> {
    const answer = (await this.#call('/v3/lease/keepalive', { ID: lease })) as { result?: { TTL?: string } };
    return Number(answer.result?.TTL ?? 0) > 0;
  }

  async revokeLease(lease: string): Promise<void> {
    await this.#call('/v3/lease/revoke', { ID: lease });
  }

  /**
   * Hands over what changes below the prefix after `revision`, until the signal is aborted. Connects again by itself; when the
   * server has forgotten the changes in between, `reset` gets the whole content and must replace what was known.
   */
  async watch(
    prefix: string,
    revision: number,
    events: (events: readonly EtcdEvent[]) => void,
    reset: (entries: readonly EtcdEntry[]) => void,
    failed: (error: unknown) => void,
    signal: AbortSignal,
  ): Promise<void> {
    let next = revision + 1;
    while (!signal.aborted) {
      try {
        next = await this.#watchOnce(prefix, next, events, signal);
      } catch (error) {
        if (signal.aborted) return;
        failed(error);
        this.#preferred++;
        if (error instanceof OperatingError && error.code === 'compacted') {
          const whole = await this.list(prefix).catch(() => undefined);
          if (whole) {
            reset(whole.entries);
            next = whole.revision + 1;
          }
        }
        await sleep(this.#clock, RETRY_MS, signal).catch(() => {});
      }
    }
  }

  async #watchOnce(
    prefix: string,
    from: number,
    events: (events: readonly EtcdEvent[]) => void,
    signal: AbortSignal,
  ): Promise<number> {
    const create_request = { key: encode(prefix), range_end: endOfPrefix(prefix), start_revision: String(from) };
    const { request, dispatcher } = await this.#http();
    const response = await request(`${this.#endpoint()}/v3/watch`, {
      method: 'POST',
      dispatcher,
      signal,
      headers: await this.#headers(),
      body: JSON.stringify({ create_request }),
    });
    if (response.statusCode !== 200)
      throw new OperatingError('etcd', `cannot watch ${prefix}: ${response.statusCode} ${await response.body.text()}`);
    let rest = '';
    let next = from;
    for await (const chunk of response.body.setEncoding('utf8')) {
      rest += chunk;
      if (rest.length > MAX_WATCH_LINE_BYTES) throw new OperatingError('etcd', 'cannot watch: an event is too large');
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
        const answer = JSON.parse(rest.slice(0, end)) as WatchAnswer;
        rest = rest.slice(end + 1);
        next = takeAnswer(prefix, answer, next, events);
      }
    }
    throw new OperatingError('etcd', `cannot watch ${prefix}: the server closed the connection`);
  }

  async #call(path: string, body: unknown): Promise<unknown> {
    let last: unknown;
    for (let attempt = 0; attempt < this.#options.endpoints.length; attempt++) {
      const endpoint = this.#endpoint();
      try {
        const { request, dispatcher } = await this.#http();
        const response = await request(endpoint + path, {
          method: 'POST',
          dispatcher,
          headers: path === '/v3/auth/authenticate' ? {} : await this.#headers(),
          body: JSON.stringify(body),
          headersTimeout: this.#options.timeoutMs,
          bodyTimeout: this.#options.timeoutMs,
        });
        const text = await response.body.text();
        if (response.statusCode === 200) return JSON.parse(text);
        this.#token = undefined;
        last = new OperatingError('etcd', `${endpoint}${path} answered ${response.statusCode}: ${text.slice(0, 200)}`);
        if (response.statusCode < 500) break;
      } catch (error) {
        last = error;
      }
      this.#preferred++;
    }
    throw new OperatingError('etcd', `cannot ask etcd: ${errorText(last)}`, { cause: last });
  }

  #endpoint(): string {
    const { endpoints } = this.#options;
    return endpoints[this.#preferred % endpoints.length]!.replace(/\/$/, '');
  }

  async #headers(): Promise<Record<string, string>> {
    const { username, password } = this.#options;
    if (username === undefined) return {};
    if (this.#token === undefined) {
      const answer = (await this.#call('/v3/auth/authenticate', { name: username, password })) as { token: string };
      this.#token = answer.token;
    }
    return { authorization: this.#token };
  }
}

function takeAnswer(
  prefix: string,
  answer: WatchAnswer,
  next: number,
  events: (events: readonly EtcdEvent[]) => void,
): number {
  const { result, error } = answer;
  if (error) throw new OperatingError('etcd', `cannot watch ${prefix}: ${error.message}`);
  if (Number(result?.compact_revision ?? 0) > 0)
    throw new OperatingError('compacted', `cannot watch ${prefix}: older changes have been compacted`);
  if (result?.canceled) throw new OperatingError('etcd', `cannot watch ${prefix}: ${result.cancel_reason}`);
  if (!result?.events?.length) return next;
  events(
    result.events.map(({ type, kv }) => ({ kind: type === 'DELETE' ? 'delete' : 'put', entry: toEntry(kv) }) as const),
  );
  return Math.max(next, ...result.events.map(({ kv }) => Number(kv.mod_revision ?? 0) + 1));
}
