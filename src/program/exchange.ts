// Wires receiving and sending on the main thread: hands requests to shards, tells shards what the configuration says,
// and checks what only all flags together can tell.

import type { Clock } from '#base/clock.ts';
import { errorText, UserError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { Answer, Received } from '#collect/receive/exchange.ts';
import { isOrdinaryWrite, WRITE_V1, WRITE_V2, type WriteMessage } from '#collect/receive/remote-write.ts';
import { labelsOf } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import type { Registry } from '#model/registry.ts';
import { parseSelector } from '#query/parse/parser.ts';
import { ShardChoice } from '#scale/shards/choice.ts';
import type { ShardPool } from '#scale/shards/pool.ts';
import type { ExchangeConfig } from '#scale/shards/protocol.ts';
import type { ShardedSource } from '#scale/shards/source.ts';
import { federateRoutes } from '#serve/federate.ts';
import type { Route } from '#serve/http.ts';
import { receiveRoutes } from '#serve/receive.ts';
import { remoteReadRoutes } from '#serve/remote-read.ts';
import type { ServerConfig } from './config.ts';
import { featuresOf, type ServerFlags } from './flags.ts';
import type { ExchangeOptions } from './shard-exchange.ts';

/** Federation and remote read have limits of their own. */
const NO_QUERY_LIMITS = { maxSamples: Infinity, maxSeries: Infinity, maxBytes: Infinity };
/** The flags that receiving and sending obey, whatever the role. */
export type ExchangeFlags = Pick<
  ServerFlags,
  | 'enable-feature'
  | 'storage.remote.flush-deadline'
  | 'web.enable-otlp-receiver'
  | 'web.enable-remote-write-receiver'
  | 'web.remote-write-receiver.accepted-protobuf-messages'
>;

const OTLP_PATH = '/api/v1/otlp/v1/metrics';

export function exchangeOptions(flags: ExchangeFlags, lookbackMs: number): ExchangeOptions {
  const features = featuresOf(flags);
  if (features.has('otlp-deltatocumulative') && features.has('otlp-native-delta-ingestion')) {
    throw new UserError('features otlp-deltatocumulative and otlp-native-delta-ingestion exclude each other');
  }
  const accepted = flags['web.remote-write-receiver.accepted-protobuf-messages'];
  const unknown = accepted.find((name) => name !== WRITE_V1 && name !== WRITE_V2);
  if (unknown !== undefined) {
    throw new UserError(
      `unknown type for remote write protobuf message ${unknown}, supported: ${WRITE_V1}, ${WRITE_V2}`,
    );
  }
  return {
    acceptedMessages: accepted as readonly WriteMessage[],
    features: [...features],
    lookbackMs,
    flushMs: flags['storage.remote.flush-deadline'],
  };
}

export class Exchange {
  readonly #flags: ExchangeFlags;
  readonly #pool: () => ShardPool;
  readonly #log: Logger;
  readonly #sticky: boolean;
  readonly #choice: ShardChoice;
  #config: ExchangeConfig;

  constructor(flags: ExchangeFlags, config: ServerConfig, shards: number, pool: () => ShardPool, log: Logger) {
    this.#flags = flags;
    this.#pool = pool;
    this.#log = log;
    this.#config = exchangeConfig(config);
    this.#choice = new ShardChoice(shards);
    // Deltas are added up in the memory of one thread, so that one gets all of them.
    this.#sticky = featuresOf(flags).has('otlp-deltatocumulative');
  }

  /** What comes in over HTTP. */
  receiving(): readonly Route[] {
    const flags = this.#flags;
    return receiveRoutes({
      remoteWrite: flags['web.enable-remote-write-receiver'],
      otlp: flags['web.enable-otlp-receiver'],
      sections: () => ({
        influx: this.#config.receive.influx !== undefined,
        collectd: this.#config.receive.collectd?.http ?? false,
      }),
      receive: (request, connection) => this.#receive(request, connection),
    });
  }

  /** What comes in, and what others may take: federation and remote read. */
  routes(flags: ServerFlags, source: ShardedSource, clock: Clock, registry: Registry): readonly Route[] {
    const externalLabels = () => this.#config.externalLabels;
    const taken = { source, registry, limits: NO_QUERY_LIMITS, externalLabels };
    return [
      ...this.receiving(),
      ...federateRoutes({ ...taken, clock, lookbackMs: flags['query.lookback-delta'] }),
      ...remoteReadRoutes({
        ...taken,
        sampleLimit: flags['storage.remote.read-sample-limit'],
        concurrentLimit: flags['storage.remote.read-concurrent-limit'],
        maxFrameBytes: flags['storage.remote.read-max-bytes-in-frame'],
      }),
    ];
  }

  get config(): ExchangeConfig {
    return this.#config;
  }

  /** Tells every shard; one that is down is told when it comes up. */
  async apply(config: ServerConfig): Promise<void> {
    this.#config = exchangeConfig(config);
    const told = await Promise.allSettled(
      this.#pool()
        .upClients()
        .map((client) => client.setExchange(this.#config)),
    );
    for (const outcome of told) {
      if (outcome.status === 'rejected') {
        this.#log.error('cannot apply receivers and remotes in a shard', { err: errorText(outcome.reason) });
      }
    }
  }

  /** To the shard that had the connection's last request. */
  async #receive(request: Received, connection: object | undefined): Promise<Answer> {
    const states = this.#pool().states();
    const isFirst = this.#sticky && request.path === OTLP_PATH;
    const isUp = (shard: number) => states[shard]!.up && (shard === 0 || !isFirst);
    const chosen = this.#choice.choose(isUp, connection);
    if (chosen < 0) return { status: 503, headers: {}, body: 'no shard is up yet; try again in a moment\n' };
    return this.#choice.during(chosen, () => this.#hand(chosen, request));
  }

  #hand(shard: number, request: Received): Promise<Answer> {
    const pool = this.#pool();
    if (isOrdinaryWrite(request)) return pool.write(shard, request.body);
    // A body that is part of a larger buffer is copied before it is given away.
    const isWhole = request.body.byteLength === request.body.buffer.byteLength;
    const body = isWhole ? request.body : request.body.slice();
    return pool.client(shard).receive({ ...request, body }, { transfer: [body.buffer as ArrayBuffer] });
  }
}

const exchangeConfig = (config: ServerConfig): ExchangeConfig => ({
  aggregate: config.aggregate.map((rule) => ({ rule, matchers: rule.match.map(selectorOf) })),
  receive: config.receive,
  otlp: config.otlp,
  remotes: config.remotes,
  reads: config.reads,
  tracing: config.tracing,
  externalLabels: labelsOf(config.global.external_labels),
});

function selectorOf(text: string): readonly Matcher[] {
  try {
    return parseSelector(text);
  } catch (error) {
    throw new UserError(`aggregate: match ${JSON.stringify(text)}: ${errorText(error)}`);
  }
}
