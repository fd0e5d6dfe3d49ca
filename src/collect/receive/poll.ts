// Sources that are asked at an interval but do not speak HTTP: gmond's XML port and plugins of Nagios. Each poll writes
// `up` and its duration like a scrape, and ends the series that the poll before had and this one has not.

import { execFile } from 'node:child_process';
import net from 'node:net';
import { type Clock, every, type Timer } from '#base/clock.ts';
import { list, object, record, type Schema, string, withDefault } from '#base/config/schema.ts';
import { errorText, OperatingError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { labelsKey, METRIC_NAME } from '#model/labels.ts';
import { decodeGanglia } from '#wire/ganglia.ts';
import { type NagiosValue, parseNagios } from '#wire/nagios.ts';
import { relabelConfigs } from '../relabel/config.ts';
import { compileRules, type Relabel } from '../relabel/relabel.ts';
import { Feed, type FeedParts } from './feed.ts';
import { sortedLabels } from './labels.ts';
import { listenAddress, parseAddress, pause } from './listen.ts';
import { labelNameFrom, metricNameFrom } from './names.ts';

const pollFields = {
  interval: withDefault(pause(), 60_000),
  timeout: withDefault(pause(), 10_000),
  labels: record(string()),
  relabel_configs: relabelConfigs,
};

export const gangliaTarget = object({ address: listenAddress(), job: withDefault(string(), 'ganglia'), ...pollFields });
export type GangliaTarget = typeof gangliaTarget extends Schema<infer T> ? T : never;

export const nagiosTarget = object(
  { name: string(), command: list(string()), job: withDefault(string(), 'nagios'), ...pollFields },
  (value, report) => {
    if (value.command.length === 0) report('command', 'expected the program and its arguments as a list');
  },
);
export type NagiosTarget = typeof nagiosTarget extends Schema<infer T> ? T : never;

const MAX_XML_BYTES = 64 * 1024 * 1024;
const MAX_OUTPUT_BYTES = 1024 * 1024;

type Polled = { readonly pairs: readonly string[]; readonly value: number };

/** Asks one target at its interval until stopped. */
export class Poller {
  readonly feed: Feed;
  readonly #clock: Clock;
  readonly #identity: readonly string[];
  readonly #labels: Readonly<Record<string, string>>;
  readonly #relabel: Relabel;
  readonly #ask: () => Promise<readonly Polled[]>;
  readonly #intervalMs: number;
  #before = new Map<string, readonly string[]>();
  #timer: Timer | undefined;
  #polling: Promise<void> = Promise.resolve();
  readonly #log: Logger;

  constructor(
    protocol: string,
    parts: FeedParts,
    target: {
      readonly job: string;
      readonly interval: number;
      readonly labels: Readonly<Record<string, string>>;
    } & Pick<GangliaTarget, 'relabel_configs'>,
    instance: string,
    ask: () => Promise<readonly Polled[]>,
  ) {
    this.feed = new Feed(protocol, parts);
    this.#log = parts.log;
    this.#clock = parts.clock;
    this.#identity = ['job', target.job, 'instance', instance];
    this.#labels = target.labels;
    this.#relabel = compileRules(target.relabel_configs);
    this.#ask = ask;
    this.#intervalMs = target.interval;
  }

  /** The first poll begins at once. */
  start(): void {
    const poll = (): Promise<void> =>
      this.poll().catch((error) => this.#log.error('cannot store what was polled', { err: errorText(error) }));
    this.#polling = poll();
    this.#timer = every(this.#clock, this.#intervalMs, () => {
      this.#polling = this.#polling.then(poll);
      return this.#polling;
    });
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#polling;
    await this.feed.flush();
  }

  async poll(): Promise<void> {
    const began = this.#clock.monotonic();
    const now = this.#clock.now();
    let polled: readonly Polled[] = [];
    let up = 1;
    try {
      polled = await this.#ask();
    } catch (error) {
      up = 0;
      this.feed.invalid(errorText(error));
    }
    const seen = new Map<string, readonly string[]>();
    for (const { pairs, value } of polled) {
      const own = new Map<string, string>();
      for (let i = 0; i < this.#identity.length; i += 2) own.set(this.#identity[i]!, this.#identity[i + 1]!);
      for (let i = 0; i < pairs.length; i += 2) own.set(pairs[i]!, pairs[i + 1]!);
      for (const [name, text] of Object.entries(this.#labels)) own.set(name, text);
      const labels = this.#relabel(sortedLabels([...own].flat()).labels);
      if (!labels || labels.length === 0) continue;
      seen.set(labelsKey(labels), labels);
      this.feed.add(labels, now, value);
    }
    for (const [key, labels] of this.#before) if (!seen.has(key)) this.feed.end(labels, now);
    this.#before = seen;
    this.feed.add([METRIC_NAME, 'up', ...this.#identity, ...Object.entries(this.#labels).flat()], now, up);
    const seconds = (this.#clock.monotonic() - began) / 1000;
    this.feed.add(
      [METRIC_NAME, 'scrape_duration_seconds', ...this.#identity, ...Object.entries(this.#labels).flat()],
      now,
      seconds,
    );
    await this.feed.flush();
  }
}

export const gangliaPoller = (parts: FeedParts, target: GangliaTarget): Poller =>
  new Poller('ganglia', parts, target, target.address, async () => {
    const metrics = decodeGanglia(await readAll(target.address, target.timeout, parts.clock));
    return metrics.map(({ cluster, host, name, value, units, group, slope }) => ({
      pairs: [
        METRIC_NAME,
        metricNameFrom(`ganglia_${name}${slope === 'positive' ? '_total' : ''}`),
        'host',
        host,
        ...(cluster !== '' ? ['cluster', cluster] : []),
        ...(group !== '' ? ['group', group] : []),
        ...(units !== '' ? ['unit', units] : []),
      ],
      value,
    }));
  });

/** Everything that a server sends before it closes the connection. */
function readAll(address: string, timeoutMs: number, clock: Clock): Promise<string> {
  const { host, port } = parseAddress(address);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const socket = net.connect({ host: host === '' ? '127.0.0.1' : host, port });
    const fail = (code: string, cause: string) => {
      socket.destroy();
      reject(new OperatingError(code, `cannot read ${address}: ${cause}`));
    };
    const timer = clock.after(timeoutMs, () => fail('timeout', `no end within ${timeoutMs} ms`));
    socket.on('data', (chunk) => {
      size += chunk.length;
      chunks.push(chunk);
      if (size > MAX_XML_BYTES) fail('too_large', `more than ${MAX_XML_BYTES} bytes`);
    });
    socket.on('error', (error) => fail('network', errorText(error)));
    socket.on('close', () => {
      timer.cancel();
      resolve(Buffer.concat(chunks).toString('utf8'));
    });
  });
}

export const nagiosPoller = (parts: FeedParts, target: NagiosTarget): Poller =>
  new Poller('nagios', parts, target, target.name, async () => {
    const began = parts.clock.monotonic();
    const { output, status } = await runPlugin(target);
    const seconds = (parts.clock.monotonic() - began) / 1000;
    const check = ['check', target.name];
    const polled: Polled[] = [
      { pairs: [METRIC_NAME, 'nagios_check_status', ...check], value: status },
      { pairs: [METRIC_NAME, 'nagios_check_duration_seconds', ...check], value: seconds },
    ];
    for (const value of parseNagios(output, () => {})) polled.push(...perfdata(value, check));
    return polled;
  });

function perfdata(value: NagiosValue, check: readonly string[]): Polled[] {
  const unit = value.unit === '' || value.unit === 'count' ? '' : `_${labelNameFrom(value.unit)}`;
  const pairs = [...check, 'label', value.label];
  const polled: Polled[] = [
    {
      pairs: [METRIC_NAME, `nagios_perfdata${unit}${value.unit === 'count' ? '_total' : ''}`, ...pairs],
      value: value.value,
    },
  ];
  const bound = (suffix: string, number: number | undefined) => {
    if (number !== undefined)
      polled.push({ pairs: [METRIC_NAME, `nagios_perfdata_${suffix}${unit}`, ...pairs], value: number });
  };
  bound('warning', value.warning?.high);
  bound('critical', value.critical?.high);
  bound('min', value.min);
  bound('max', value.max);
  return polled;
}

/** Plugins answer 0 to 3 by their exit status; a plugin that cannot be run is a failed poll. */
function runPlugin(target: NagiosTarget): Promise<{ output: string; status: number }> {
  const [program = '', ...args] = target.command;
  return new Promise((resolve, reject) => {
    execFile(
      program,
      args,
      {
        timeout: target.timeout,
        maxBuffer: MAX_OUTPUT_BYTES,
        killSignal: 'SIGKILL',
        env: { PATH: process.env['PATH'], LC_ALL: 'C' },
      },
      (error, stdout) => {
        if (!error) return resolve({ output: stdout, status: 0 });
        const { code, killed } = error as { code?: number | string; killed?: boolean };
        if (typeof code === 'number' && code <= 3) return resolve({ output: stdout, status: code });
        const cause = killed ? `no end within ${target.timeout} ms` : `${errorText(error)}`;
        reject(new OperatingError('exec', `cannot run ${program}: ${cause}`));
      },
    );
  });
}
