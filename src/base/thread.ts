// Typed calls between threads. An `Api` is a record of functions of one argument; `serveApi` answers on a port, `connect`
// gives a client whose calls are promises. Buffers named in `transferring(...)` move instead of being copied. A port that
// closes fails what is still waiting; an aborted signal is passed on to the function that runs.

import { type MessagePort, parentPort, type Transferable, Worker } from 'node:worker_threads';
import { assert } from './assert.ts';
import type { Clock, Timer } from './clock.ts';
import { errorCode, errorText, OperatingError, UserError } from './errors.ts';
import type { Logger } from './log.ts';

// biome-ignore lint/suspicious/noExplicitAny: the argument types are the caller's; `any` lets every function fit
export type Api = Record<string, (argument: any, signal: AbortSignal) => unknown>;

type Plain = (argument: unknown) => unknown;

export type Client<A extends Api> = {
  readonly [K in keyof A]: (
    argument: Parameters<A[K]>[0],
    options?: {
      readonly transfer?: readonly Transferable[];
      readonly signal?: AbortSignal;
      /** Gets a result that comes although the signal has been aborted. */
      readonly late?: (result: Awaited<ReturnType<A[K]>>) => void;
    },
  ) => Promise<Awaited<ReturnType<A[K]>>>;
};

const transfers = Symbol('transfers');

/** A result whose buffers move to the caller's thread. */
export function transferring<T extends object>(value: T, buffers: readonly Transferable[]): T {
  return Object.defineProperty(value, transfers, { value: buffers, enumerable: false });
}

const posting = Symbol('posting');
type Posting = { readonly [posting]: (line: object) => unknown };

/**
 * A result that is made at the moment in which it is sent, so that what results on one line say about each other arrives in the
 * order in which it was made. `line` is the same object for all calls that come over one port.
 */
export function whenPosted<T extends object>(make: (line: object) => T): T {
  return { [posting]: make } as Posting as unknown as T;
}

type Call = { readonly id: number; readonly name: string; readonly argument: unknown };
type Message =
  | ({ readonly kind: 'call' } & Call)
  | { readonly kind: 'cancel'; readonly id: number }
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly error: PlainError };

type PlainError = {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly fields: object;
};

/** A port or a worker: both ends of a thread look alike. */
type Port = Pick<MessagePort, 'postMessage'> & { on(event: 'message', listener: (message: Message) => void): unknown };

export function serveApi<A extends Api>(port: Port, api: A): void {
  const running = new Map<number, AbortController>();
  port.on('message', (message) => {
    if (message.kind === 'cancel')
      running.get(message.id)?.abort(new OperatingError('canceled', 'the caller has gone away'));
    if (message.kind !== 'call') return;
    const run = api[message.name];
    // Only functions that look at a signal get one.
    const controller = run && run.length > 1 ? new AbortController() : undefined;
    if (controller) running.set(message.id, controller);
    const finish = (answer: Message, buffers: readonly Transferable[] = []) => {
      if (controller) running.delete(message.id);
      port.postMessage(answer, buffers as Transferable[]);
    };
    const fail = (error: unknown) => finish({ kind: 'failure', id: message.id, error: toPlain(error) });
    const answer = (result: unknown) => {
      const value =
        typeof result === 'object' && result !== null && posting in result
          ? (result as Posting)[posting](port)
          : result;
      const buffers =
        typeof value === 'object' && value !== null && transfers in value ? (value[transfers] as Transferable[]) : [];
      finish({ kind: 'result', id: message.id, value }, buffers);
    };
    try {
      const result = controller ? run!(message.argument, controller.signal) : (run as Plain)(message.argument);
      if (result instanceof Promise) result.then(answer).catch(fail);
      else answer(result);
    } catch (error) {
      fail(error);
    }
  });
}

type CallOptions = {
  readonly transfer?: readonly Transferable[];
  readonly signal?: AbortSignal;
  readonly late?: (result: unknown) => void;
};
type Waiting = { resolve(value: unknown): void; reject(error: Error): void; done(): void };

export class Connection<A extends Api> {
  readonly client: Client<A>;
  readonly #port: Port;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;
  #closed: Error | undefined;

  constructor(port: Port) {
    this.#port = port;
    port.on('message', (message) => this.#receive(message));
    this.client = new Proxy({} as Client<A>, {
      get: (_, name) =>
        typeof name === 'string' && name !== 'then'
          ? (argument: unknown, options?: CallOptions) => this.#call(name, argument, options ?? {})
          : undefined,
    });
  }

  /** Calls that wait for an answer. */
  get pending(): number {
    return this.#waiting.size;
  }

  /** Fails every waiting call and all that come. */
  close(reason: Error): void {
    this.#closed = reason;
    for (const waiting of this.#waiting.values()) {
      waiting.done();
      waiting.reject(reason);
    }
    this.#waiting.clear();
  }

  #call(name: string, argument: unknown, { transfer, signal, late }: CallOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      if (signal?.aborted) return reject(signal.reason);
      const id = this.#nextId++;
      const cancel = () => {
        this.#port.postMessage({ kind: 'cancel', id } satisfies Message);
        // The other side answers all the same.
        if (late) this.#waiting.set(id, { resolve: late, reject: () => {}, done: () => {} });
        else this.#waiting.delete(id);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', cancel, { once: true });
      this.#waiting.set(id, { resolve, reject, done: () => signal?.removeEventListener('abort', cancel) });
      this.#port.postMessage(
        { kind: 'call', id, name, argument } satisfies Message,
        (transfer ?? []) as Transferable[],
      );
    });
  }

  #receive(message: Message): void {
    if (message.kind !== 'result' && message.kind !== 'failure') return;
    const waiting = this.#waiting.get(message.id);
    if (!waiting) return;
    this.#waiting.delete(message.id);
    waiting.done();
    if (message.kind === 'result') waiting.resolve(message.value);
    else waiting.reject(fromPlain(message.error));
  }
}

function toPlain(error: unknown): PlainError {
  const code = errorCode(error);
  const fields = error instanceof UserError ? { file: error.file, position: error.position, reason: error.reason } : {};
  return {
    name: error instanceof Error ? error.name : 'Error',
    message: errorText(error),
    ...(code === undefined ? {} : { code }),
    ...(error instanceof Error && error.stack ? { stack: error.stack } : {}),
    fields,
  };
}

function fromPlain(plain: PlainError): Error {
  if (plain.name === 'UserError') {
    const { file, position, reason } = plain.fields as {
      file?: string;
      position?: { line: number; column: number };
      reason: string;
    };
    return new UserError(reason, file, position);
  }
  if (plain.code !== undefined) return new OperatingError(plain.code, plain.message);
  const error = new Error(plain.message);
  error.name = plain.name;
  if (plain.stack !== undefined) error.stack = plain.stack;
  return error;
}

export type ThreadOptions = {
  readonly name: string;
  readonly entry: URL;
  /** Plain data the thread starts with; it takes it by `threadData`. */
  readonly data: unknown;
  /** Its first worker, begun before anyone knew what it starts with. */
  readonly begun?: Worker;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called each time the thread is up, first and after a restart, before other callers see the client. */
  readonly onUp: (client: Client<Api>, worker: Worker) => void | Promise<void>;
};

/** In a thread: what it starts with. Nothing else arrives before it is asked for, in the same turn that this resolves. */
export function threadData<T>(): Promise<T> {
  const port = parentPort;
  assert(port, 'only a thread has thread data');
  return new Promise((resolve) => port.once('message', resolve));
}

const RESTART_MIN_MS = 50;
const RESTART_MAX_MS = 5000;
/** A thread that ran this long before it died is restarted at once. */
const STABLE_MS = 30_000;

/** A worker thread that is started again when it dies. Calls made while it is down fail with code `thread_down`. */
export class Thread<A extends Api> {
  readonly name: string;
  readonly #options: ThreadOptions;
  #worker: Worker | undefined;
  #connection: Connection<A> | undefined;
  #backoffMs = RESTART_MIN_MS;
  #timer: Timer | undefined;
  #stopping = false;
  #begun: Worker | undefined;
  #startedAt = 0;
  restarts = 0;

  constructor(options: ThreadOptions) {
    this.#options = options;
    this.#begun = options.begun;
    this.name = options.name;
  }

  get client(): Client<A> {
    if (!this.#connection)
      throw new OperatingError('thread_down', `${this.name} is not running; it is being restarted`);
    return this.#connection.client;
  }

  get isUp(): boolean {
    return this.#connection !== undefined;
  }

  /** The running worker, for tests that kill it and for its resource figures. */
  get worker(): Worker | undefined {
    return this.#worker;
  }

  async start(): Promise<void> {
    const { entry, data, logger, clock, name } = this.#options;
    const worker = this.#begun ?? new Worker(entry, { name });
    this.#begun = undefined;
    worker.postMessage(data);
    const connection = new Connection<A>(worker);
    this.#worker = worker;
    this.#startedAt = clock.monotonic();
    worker.on('error', (error) =>
      logger.error(`${name} failed`, { err: error, stack: error instanceof Error ? error.stack : undefined }),
    );
    const exited = new Promise<never>((_, reject) =>
      worker.once('exit', (code) => {
        const reason = new OperatingError('thread_down', `${name} ended with code ${code}`);
        connection.close(reason);
        if (this.#worker === worker) {
          this.#worker = undefined;
          this.#connection = undefined;
          if (!this.#stopping) this.#restart(reason);
        }
        reject(reason);
      }),
    );
    exited.catch(() => {});
    const up = async () => this.#options.onUp(connection.client as unknown as Client<Api>, worker);
    try {
      await Promise.race([up(), exited]);
    } catch (error) {
      await worker.terminate();
      throw error;
    }
    this.#connection = connection;
  }

  /** Ends the thread without restarting it. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#timer?.cancel();
    await (this.#worker ?? this.#begun)?.terminate();
  }

  #restart(reason: Error): void {
    const { clock, logger, name } = this.#options;
    if (clock.monotonic() - this.#startedAt > STABLE_MS) this.#backoffMs = RESTART_MIN_MS;
    logger.error(`${name} died and is restarted`, { err: reason, after_ms: this.#backoffMs });
    this.#timer = clock.after(this.#backoffMs, () => {
      this.restarts++;
      this.start().then(
        () => logger.info(`${name} is up again`, { restarts: this.restarts }),
        (error) => logger.error(`cannot restart ${name}`, { err: error }),
      );
    });
    this.#backoffMs = Math.min(RESTART_MAX_MS, this.#backoffMs * 2);
  }
}
