// All receivers of one shard's thread behind one door: requests by their path, and the sockets and polls of the section
// `receive`, which one shard runs for all.

import { type Clock, every, type Timer } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { CollectdReceiver, type CollectdSection } from './collectd.ts';
import { NO_RECEIVERS, type ReceiveSection } from './config.ts';
import { type Answer, answer, type Received, type Receiver } from './exchange.ts';
import { type FeedParts, ReceiveMetrics } from './feed.ts';
import { GraphiteReceiver } from './graphite.ts';
import { InfluxReceiver } from './influx.ts';
import { type Listening, listenLines, listenPackets } from './listen.ts';
import { type OtlpOptions, OtlpReceiver } from './otlp/receiver.ts';
import { gangliaPoller, nagiosPoller, type Poller } from './poll.ts';
import { type ReceiverParts, type RemoteWriteOptions, RemoteWriteReceiver } from './remote-write.ts';
import { StatsdReceiver } from './statsd.ts';

export type ReceiversOptions = {
  readonly remoteWrite: RemoteWriteOptions;
  readonly otlp: OtlpOptions;
  /** Whether sockets and polls run here. */
  readonly listens: boolean;
};

export class Receivers implements Receiver {
  readonly #log: Logger;
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #feedParts: FeedParts;
  readonly #options: ReceiversOptions;
  readonly #fixed: ReadonlyMap<string, Receiver>;
  readonly #remoteWrite: RemoteWriteReceiver;
  #byPath: ReadonlyMap<string, Receiver>;
  #applied = JSON.stringify(NO_RECEIVERS);
  #listening: Listening[] = [];
  #pollers: Poller[] = [];
  #timers: Timer[] = [];
  #flush: (() => Promise<void>)[] = [];

  constructor(parts: ReceiverParts & { readonly disk: Disk }, options: ReceiversOptions) {
    this.#log = parts.log;
    this.#disk = parts.disk;
    this.#clock = parts.clock;
    this.#options = options;
    this.#feedParts = {
      appender: parts.appender,
      clock: parts.clock,
      log: parts.log,
      metrics: new ReceiveMetrics(parts.registry),
    };
    this.#remoteWrite = new RemoteWriteReceiver(parts, options.remoteWrite);
    this.#fixed = new Map<string, Receiver>([
      ['/api/v1/write', this.#remoteWrite],
      ['/api/v1/otlp/v1/metrics', new OtlpReceiver(parts, options.otlp)],
    ]);
    this.#byPath = this.#fixed;
  }

  /** Ports that were bound, by `protocol/transport`; for tests and for the log. */
  readonly ports = new Map<string, number>();

  receive(request: Received): Promise<Answer> {
    const receiver = this.#byPath.get(request.path);
    return receiver
      ? receiver.receive(request)
      : Promise.resolve(answer(404, `nothing is received at ${request.path}\n`));
  }

  /** A request of remote write 1.0 in snappy. The body is copied if it is needed for longer than this call. */
  write(body: Uint8Array): Promise<Answer> {
    return this.#remoteWrite.write(body);
  }

  /** Brings receivers to a configuration; what did not change as a whole stays as it is. */
  async apply(section: ReceiveSection): Promise<void> {
    const shown = JSON.stringify(section);
    if (shown === this.#applied) return;
    await this.stop();
    this.#applied = shown;
    const byPath = new Map(this.#fixed);
    if (section.influx) {
      const influx = new InfluxReceiver(this.#feedParts, section.influx);
      byPath.set('/write', influx).set('/api/v2/write', influx);
    }
    const collectd = section.collectd && this.#collectd(section.collectd);
    if (collectd) {
      if (section.collectd?.http) byPath.set('/collectd', collectd);
      this.#flush.push(() => collectd.feed.flush());
      await this.#listen('collectd/udp', section.collectd?.listen_udp, (address) =>
        listenPackets(address, this.#log, (bytes) => collectd.packet(bytes)),
      );
    }
    this.#byPath = byPath;
    await this.#listenForLines(section);
    if (this.#options.listens) {
      this.#pollers = [
        ...section.ganglia.map((target) => gangliaPoller(this.#feedParts, target)),
        ...section.nagios.map((target) => nagiosPoller(this.#feedParts, target)),
      ];
      for (const poller of this.#pollers) poller.start();
    }
  }

  /** Files that cannot be read cost only this protocol. */
  #collectd(section: CollectdSection): CollectdReceiver | undefined {
    try {
      return new CollectdReceiver(this.#feedParts, section, this.#disk);
    } catch (error) {
      this.#log.error('cannot receive', { protocol: 'collectd', err: errorText(error) });
      return undefined;
    }
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers) timer.cancel();
    await Promise.all(this.#listening.map((listening) => listening.close()));
    await Promise.all(this.#pollers.map((poller) => poller.stop()));
    for (const flush of this.#flush) await flush();
    this.#timers = [];
    this.#listening = [];
    this.#pollers = [];
    this.#flush = [];
    this.#byPath = this.#fixed;
    this.#applied = JSON.stringify(NO_RECEIVERS);
    this.ports.clear();
  }

  async #listenForLines({ graphite, statsd }: ReceiveSection): Promise<void> {
    if (!this.#options.listens) return;
    if (graphite) {
      const receiver = new GraphiteReceiver(this.#feedParts, graphite);
      this.#flush.push(() => receiver.feed.flush());
      await this.#lines('graphite', graphite, (line) => receiver.line(line));
    }
    if (statsd) {
      const receiver = new StatsdReceiver(this.#feedParts, statsd);
      this.#flush.push(() => receiver.flush());
      this.#timers.push(every(this.#clock, statsd.flush_interval, () => receiver.flush()));
      await this.#lines('statsd', statsd, (line) => receiver.line(line));
    }
  }

  async #lines(
    protocol: string,
    { listen_tcp, listen_udp }: { readonly listen_tcp: string | undefined; readonly listen_udp: string | undefined },
    take: (line: string) => void,
  ): Promise<void> {
    await this.#listen(`${protocol}/tcp`, listen_tcp, (address) => listenLines(address, this.#log, take));
    await this.#listen(`${protocol}/udp`, listen_udp, (address) =>
      listenPackets(address, this.#log, (bytes) => {
        for (const line of bytes.toString('utf8').split('\n')) take(line);
      }),
    );
  }

  /** An address that cannot be bound is told and costs only its own protocol. */
  async #listen(
    what: string,
    address: string | undefined,
    open: (address: string) => Promise<Listening>,
  ): Promise<void> {
    if (address === undefined || !this.#options.listens) return;
    try {
      const listening = await open(address);
      this.#listening.push(listening);
      this.ports.set(what, listening.port);
      this.#log.info('Listening on', { address, protocol: what });
    } catch (error) {
      this.#log.error('cannot receive', { protocol: what, err: errorText(error) });
    }
  }
}
