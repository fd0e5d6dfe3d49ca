// One probe: a module against a target, within the time the scraper gives. Its page always has probe_success and
// probe_duration_seconds; why a probe failed is in its log, which ?debug=true shows.

import dns from 'node:dns/promises';
import net from 'node:net';
import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorText } from '#base/errors.ts';
import type { MetricFamily } from '#model/family.ts';
import { Page } from '../page.ts';
import { probeTcp, probeUnix } from './conversation.ts';
import { probeDns } from './dns.ts';
import { probeGrpc } from './grpc.ts';
import { probeHttp } from './http.ts';
import { probeIcmp } from './icmp.ts';
import {
  DEFAULT_GRPC,
  DEFAULT_HTTP,
  DEFAULT_ICMP,
  DEFAULT_TCP,
  DEFAULT_UNIX,
  DEFAULT_WEBSOCKET,
  lackOf,
  type ProbeModule,
} from './modules.ts';
import { probeWebsocket } from './websocket.ts';

export type ProbeContext = {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly page: Page;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  /** The name that the target should be asked for, if the request gives one. */
  readonly hostname: string | undefined;
  /** A line of the probe's log. */
  readonly note: (text: string) => void;
};

export type ProbeResult = {
  readonly families: readonly MetricFamily[];
  readonly ok: boolean;
  readonly log: readonly string[];
};

const DEFAULT_TIMEOUT_MS = 120_000;

export async function probe(
  module: ProbeModule,
  target: string,
  scrapeTimeoutMs: number | undefined,
  clock: Clock,
  disk: Disk,
  hostname?: string,
): Promise<ProbeResult> {
  const limits = [module.timeout, scrapeTimeoutMs ?? 0].filter((ms) => ms > 0);
  const timeoutMs = limits.length > 0 ? Math.min(...limits) : DEFAULT_TIMEOUT_MS;
  const page = new Page();
  const log: string[] = [];
  const started = clock.monotonic();
  const abort = new AbortController();
  const timer = clock.after(timeoutMs, () => abort.abort(new Error(`no answer within ${timeoutMs} ms`)), true);
  const note = (text: string) => void log.push(`${Math.round(clock.monotonic() - started)} ms: ${text}`);
  const context: ProbeContext = { clock, disk, page, signal: abort.signal, timeoutMs, hostname, note };
  let ok = false;
  try {
    const late = new Promise<never>((_, reject) =>
      abort.signal.addEventListener('abort', () => reject(abort.signal.reason), { once: true }),
    );
    ok = await Promise.race([run(module, target, context), late]);
  } catch (error) {
    note(`failed: ${errorText(error)}`);
  } finally {
    timer.cancel();
    abort.abort(new Error('the probe is over'));
  }
  page.gauge('probe_success', 'Whether the probe succeeded.', ok ? 1 : 0);
  page.gauge('probe_timeout_seconds', 'How long the probe may take.', timeoutMs / 1000);
  page.gauge('probe_duration_seconds', 'How long the probe took.', (clock.monotonic() - started) / 1000);
  return { families: page.families(), ok, log };
}

async function run(module: ProbeModule, target: string, context: ProbeContext): Promise<boolean> {
  const lack = lackOf(module);
  if (lack !== undefined) throw new Error(lack);
  switch (module.prober) {
    case 'http':
      return probeHttp(module.http ?? DEFAULT_HTTP, target, context);
    case 'tcp':
      return probeTcp(module.tcp ?? DEFAULT_TCP, target, context);
    case 'dns':
      return probeDns(module.dns!, target, context);
    case 'icmp':
      return probeIcmp(module.icmp ?? DEFAULT_ICMP, target, context);
    case 'grpc':
      return probeGrpc(module.grpc ?? DEFAULT_GRPC, target, context);
    case 'unix':
      return probeUnix(module.unix ?? DEFAULT_UNIX, target, context);
    case 'websocket':
      return probeWebsocket(module.websocket ?? DEFAULT_WEBSOCKET, target, context);
  }
}

/** The address of a host by the module's preference, with the metrics that tell of it. */
export async function resolveHost(
  host: string,
  module: { readonly preferred_ip_protocol: 'ip4' | 'ip6'; readonly ip_protocol_fallback: boolean },
  { clock, page, note }: ProbeContext,
): Promise<string> {
  const started = clock.monotonic();
  const preferred = module.preferred_ip_protocol === 'ip4' ? 4 : 6;
  let found: { address: string; family: number } | undefined;
  if (net.isIP(host) > 0) found = { address: host, family: net.isIP(host) };
  else {
    const all = await dns.lookup(host, { all: true });
    found = all.find((one) => one.family === preferred) ?? (module.ip_protocol_fallback ? all[0] : undefined);
  }
  page.single(
    'probe_dns_lookup_time_seconds',
    'How long resolving the name took.',
    (clock.monotonic() - started) / 1000,
  );
  if (!found) throw new Error(`unable to find an IPv${preferred} address of ${host}`);
  page.single('probe_ip_protocol', 'Which IP protocol is used, 4 or 6.', found.family);
  page.single('probe_ip_addr_hash', 'A hash of the address, to see it change.', hash(found.address));
  note(`${host} is ${found.address}`);
  return found.address;
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
