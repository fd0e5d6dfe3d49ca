// What is common to exporters of other programs: a source is one server, named and addressed; its page says whether it answered.

import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { HttpClient } from '#clients/http/client.ts';
import type { MetricFamily } from '#model/family.ts';
import { Page } from './page.ts';

export type Source = {
  readonly kind: string;
  readonly name: string;
  /** With credentials, if the server asks for them. */
  readonly url: string;
  readonly timeoutMs: number;
  /** Collectors that are off unless they are named. */
  readonly collect?: readonly string[];
};

export type SourceEnvironment = {
  readonly clock: Clock;
  readonly log: Logger;
  readonly http: HttpClient;
  readonly disk: Disk;
};

/** Measures one source. Families of a source that does not answer are its `up` metric alone. */
export interface SourceReader {
  read(page: Page, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export type SourceKind = {
  /** The metric that says whether the source answered. */
  readonly up: string;
  /** Collectors that `collect` may switch on. */
  readonly optional?: readonly string[];
  readonly create: (source: Source, environment: SourceEnvironment) => SourceReader;
};

/** One scrape of a source: what it gave, its `up`, and how long it took; never rejects. */
export async function scrapeSource(
  source: Source,
  up: string,
  reader: SourceReader,
  { clock, log }: SourceEnvironment,
  signal: AbortSignal,
): Promise<MetricFamily[]> {
  const started = clock.monotonic();
  let page = new Page();
  let isUp = 1;
  const limit = AbortSignal.any([signal, deadline(clock, source.timeoutMs)]);
  try {
    await Promise.race([reader.read(page, limit), aborted(limit, source.timeoutMs)]);
  } catch (error) {
    log.warn('source does not answer', { kind: source.kind, source: source.name, err: errorText(error) });
    page = new Page();
    isUp = 0;
  }
  page.gauge(up, `Whether the ${source.kind} server answered.`, isUp);
  page.gauge(
    'pharos_exporter_scrape_duration_seconds',
    'How long a source took.',
    (clock.monotonic() - started) / 1000,
    ['kind', source.kind, 'source', source.name],
  );
  return page.families();
}

function deadline(clock: Clock, timeoutMs: number): AbortSignal {
  const abort = new AbortController();
  clock.after(timeoutMs, () => abort.abort(), true);
  return abort.signal;
}

function aborted(signal: AbortSignal, timeoutMs: number): Promise<never> {
  return new Promise((_, reject) => {
    const fail = () => reject(new Error(`no answer within ${timeoutMs} ms`));
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}

const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** GET of a source that speaks HTTP; the credentials of its URL become basic auth. */
export async function httpText(
  source: Source,
  path: string,
  { http }: SourceEnvironment,
  signal: AbortSignal,
  options: { method?: string; body?: string; headers?: Record<string, string> } = {},
): Promise<string> {
  const url = new URL(source.url);
  const headers: Record<string, string> = { ...options.headers };
  if (url.username !== '') {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers['authorization'] = `Basic ${Buffer.from(pair).toString('base64')}`;
  }
  url.username = '';
  url.password = '';
  const target = path === '' ? url.href : new URL(path.replace(/^\//, ''), `${url.href.replace(/\/$/, '')}/`).href;
  const reply = await http.call({
    url: target,
    ...(options.method ? { method: options.method } : {}),
    ...(options.body === undefined ? {} : { body: options.body }),
    headers,
    timeoutMs: source.timeoutMs,
    maxBodyBytes: MAX_ANSWER_BYTES,
    signal,
  });
  if (reply.status >= 300) throw new Error(`${target} answered ${reply.status}`);
  return reply.body.toString('utf8');
}

/** A metric name from any text. */
export const metricWord = (text: string): string =>
  text
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[^a-z0-9_]+/g, '_');
