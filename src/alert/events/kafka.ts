// Events to a topic of Kafka: they wait in a buffer, go out in batches to the leader of their partition, and are tried again while
// brokers are away. Whatever cannot be sent is counted and lost; nobody waits for it.

import net from 'node:net';
import tls from 'node:tls';
import { type Clock, sleep } from '#base/clock.ts';
import { errorCode, errorText, OperatingError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { KafkaConnection, KafkaWriter, readMetadata } from '#exporters/kafka/protocol.ts';
import type { Counter, Vec } from '#model/registry.ts';
import {
  type Compression,
  checkProduced,
  PRODUCE,
  PRODUCE_VERSION,
  partitionOf,
  produceRequest,
  recordBatch,
} from './record-batch.ts';

export type KafkaOutputConfig = {
  /** "host:port" */
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly clientId: string;
  readonly acks: 0 | 1 | -1;
  readonly compression: Compression;
  readonly bufferSize: number;
  /** Undefined: not encrypted. Files are read when the output is made. */
  readonly tls: (() => tls.ConnectionOptions) | undefined;
};

export type KafkaParts = {
  readonly clock: Clock;
  readonly logger: Logger;
  /** The key of all records. */
  readonly instance: string;
  readonly lost: Counter;
  readonly failures: Vec<Counter>;
};

type Leader = { readonly connection: KafkaConnection; readonly partition: number };

const METADATA = 3;
const DEFAULT_PORT = 9092;
const TIMEOUT_MS = 10_000;
const MAX_BATCH = 500;
const ATTEMPTS = 5;
const RETRY_MS = 500;

export class KafkaOutput {
  readonly name: string;
  readonly #config: KafkaOutputConfig;
  readonly #parts: KafkaParts;
  readonly #key: Buffer;
  readonly #closing = new AbortController();
  #waiting: Buffer[] = [];
  #leader: Leader | undefined;
  #sending: Promise<void> | undefined;

  constructor(config: KafkaOutputConfig, parts: KafkaParts) {
    this.name = `kafka:${[...config.brokers].sort().join(',')}/${config.topic}`;
    this.#config = config;
    this.#parts = parts;
    this.#key = Buffer.from(parts.instance);
  }

  write(line: string): void {
    if (this.#waiting.length >= this.#config.bufferSize) {
      this.#parts.lost.add();
      throw new Error('too many events wait to be sent');
    }
    this.#waiting.push(Buffer.from(line));
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  /** What waits is still sent, once. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('closing'));
    await this.#sending;
    this.#disconnect();
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const values = this.#waiting.splice(0, MAX_BATCH);
      await this.#deliver(values);
    }
  }

  async #deliver(values: readonly Buffer[]): Promise<void> {
    const { clock, logger, lost, failures } = this.#parts;
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#produce(values);
      } catch (error) {
        this.#disconnect();
        if (attempt < ATTEMPTS && !this.#closing.signal.aborted) {
          // Closing ends the pause, and one more attempt follows at once.
          await sleep(clock, RETRY_MS * 2 ** (attempt - 1), this.#closing.signal).catch(() => {});
          continue;
        }
        failures.with(this.name, categoryOf(error)).add(values.length);
        lost.add(values.length);
        logger.error('cannot send events', { output: this.name, events: values.length, err: errorText(error) });
        return;
      }
    }
  }

  async #produce(values: readonly Buffer[]): Promise<void> {
    const { topic, acks, compression } = this.#config;
    this.#leader ??= await this.#findLeader();
    const { connection, partition } = this.#leader;
    const batch = recordBatch(values, { key: this.#key, nowMs: this.#parts.clock.now(), compression });
    const request = produceRequest({ topic, partition, acks, timeoutMs: TIMEOUT_MS, batch });
    if (acks === 0) return connection.tell(PRODUCE, PRODUCE_VERSION, request);
    checkProduced(await connection.ask(PRODUCE, PRODUCE_VERSION, request));
  }

  async #findLeader(): Promise<Leader> {
    let problem: unknown;
    for (const broker of this.#config.brokers) {
      const asked = this.#connect(broker);
      try {
        return await this.#leaderBy(asked);
      } catch (error) {
        problem = error;
      } finally {
        asked.close();
      }
    }
    throw problem;
  }

  /** The leader of the partition that all records go to, as this broker knows it. */
  async #leaderBy(asked: KafkaConnection): Promise<Leader> {
    const { topic } = this.#config;
    const request = new KafkaWriter().int32(1).string(topic).bytes();
    const { brokers, topics } = readMetadata(await asked.ask(METADATA, 1, request));
    const partitions = topics.find(({ name }) => name === topic)?.partitions ?? [];
    if (partitions.length === 0) throw new OperatingError('broker', `the brokers know no topic ${topic}`);
    const id = partitionOf(this.#key, partitions.length);
    const leader = brokers.find((broker) => broker.id === partitions.find((one) => one.id === id)?.leader);
    if (!leader) throw new OperatingError('broker', `partition ${id} of ${topic} has no leader`);
    return { connection: this.#connect(`${leader.host}:${leader.port}`), partition: id };
  }

  #connect(address: string): KafkaConnection {
    const [, host = '', port] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(address) ?? [];
    const where = { host, port: Number(port ?? DEFAULT_PORT) };
    const options = this.#config.tls?.();
    const socket = options
      ? tls.connect({ ...options, ...where, ...(net.isIP(host) > 0 ? {} : { servername: options.servername ?? host }) })
      : net.connect(where);
    return new KafkaConnection(socket, TIMEOUT_MS, this.#config.clientId);
  }

  #disconnect(): void {
    this.#leader?.connection.close();
    this.#leader = undefined;
  }
}

/** Few, for they are values of a label. */
function categoryOf(error: unknown): 'timeout' | 'network' | 'broker' | 'unknown' {
  const code = errorCode(error) ?? '';
  if (code === 'broker' || code === 'kafka') return 'broker';
  if (/no answer within|ETIMEDOUT/.test(`${code} ${errorText(error)}`)) return 'timeout';
  return code.startsWith('E') || /closed/.test(errorText(error)) ? 'network' : 'unknown';
}
