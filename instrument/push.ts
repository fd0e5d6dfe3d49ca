// Pushes a registry to the push gateway, with the options of Pharos' gateway: merging or adding, time to live, promised interval. A push
// carries an id, so that a retry after a lost answer never counts twice.

import { randomUUID } from 'node:crypto';
import type { Registry } from '@prometheus-io/client';

export type PushOptions = {
  /** "http://gateway:9091" */
  readonly url: string;
  readonly job: string;
  readonly groupings?: Readonly<Record<string, string>>;
  /** 'replace' speaks for the whole group, as PUT does. */
  readonly merge?: 'replace' | 'merge' | 'add';
  readonly absent?: 'clear' | 'zero' | 'keep';
  /** "10m": the gateway forgets the group when it is not pushed to for so long. */
  readonly ttl?: string;
  /** "30s": the gateway tells by push_up whether pushes come as promised. */
  readonly interval?: string;
  readonly retries?: number;
  readonly timeoutMs?: number;
};

const encode = (text: string) => Buffer.from(text).toString('base64url') || '=';

function pushUrl({ url, job, groupings = {}, merge, absent, ttl, interval }: PushOptions, id: string): string {
  const path = Object.entries(groupings)
    .map(([name, value]) => `/${name}@base64/${encode(value)}`)
    .join('');
  const query = new URLSearchParams({ push_id: id });
  for (const [name, value] of Object.entries({ merge, absent, ttl, interval })) if (value) query.set(name, value);
  return `${url.replace(/\/$/, '')}/metrics/job@base64/${encode(job)}${path}?${query}`;
}

/** Rejects with the gateway's words when it refuses the push, or with the last failure when it cannot be reached. */
export async function push(registry: Registry, options: PushOptions): Promise<void> {
  const target = pushUrl(options, randomUUID());
  const body = await registry.metrics();
  const method = (options.merge ?? 'replace') === 'replace' ? 'PUT' : 'POST';
  let last: unknown;
  for (let attempt = 0; attempt <= (options.retries ?? 3); attempt++) {
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, 100 * 2 ** attempt));
    try {
      const response = await fetch(target, {
        method,
        body,
        headers: { 'content-type': registry.contentType },
        signal: AbortSignal.timeout(options.timeoutMs ?? 10_000),
      });
      if (response.ok) return;
      const text = (await response.text()).trim();
      if (response.status < 500) throw new Refused(`the push gateway refused the push: ${response.status} ${text}`);
      last = new Error(`the push gateway answered ${response.status}: ${text}`);
    } catch (error) {
      if (error instanceof Refused) throw error;
      last = error;
    }
  }
  throw last;
}

class Refused extends Error {}
