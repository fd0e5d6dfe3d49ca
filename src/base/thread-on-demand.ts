// A thread that is there only while somebody uses it: the first call starts it, and after a while without calls it is
// ended, so that work which comes every other hour holds no memory in between.

import type { Clock, Timer } from './clock.ts';
import { OperatingError } from './errors.ts';
import { type Api, type Client, Thread, type ThreadOptions } from './thread.ts';

export class ThreadOnDemand<A extends Api> {
  /** Its calls start the thread when it rests. */
  readonly client: Client<A>;
  readonly #options: ThreadOptions;
  readonly #clock: Clock;
  readonly #restAfterMs: number;
  #running: Promise<Thread<A>> | undefined;
  #calls = 0;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(options: ThreadOptions, restAfterMs: number) {
    this.#options = options;
    this.#clock = options.clock;
    this.#restAfterMs = restAfterMs;
    this.client = new Proxy({} as Client<A>, {
      get: (_, name) =>
        typeof name === 'string' && name !== 'then'
          ? (argument: never, options?: object) => this.#call(name, argument, options)
          : undefined,
    });
  }

  /** The thread that runs now, if one does. */
  get thread(): Promise<Thread<A>> | undefined {
    return this.#running;
  }

  /** Ends the thread whatever it does; calls under way fail, and no call starts it again. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#rest();
  }

  async #call(name: keyof A, argument: never, options: object | undefined): Promise<unknown> {
    if (this.#isStopped) throw new OperatingError('thread_down', `${this.#options.name} is stopped`);
    this.#timer?.cancel();
    this.#calls++;
    try {
      this.#running ??= this.#start();
      const thread = await this.#running;
      return await thread.client[name](argument, options);
    } finally {
      this.#calls--;
      if (this.#calls === 0 && !this.#isStopped) {
        this.#timer?.cancel();
        this.#timer = this.#clock.after(this.#restAfterMs, () => void this.#rest(), true);
      }
    }
  }

  async #start(): Promise<Thread<A>> {
    const thread = new Thread<A>(this.#options);
    try {
      await thread.start();
      return thread;
    } catch (error) {
      this.#running = undefined;
      await thread.stop();
      throw error;
    }
  }

  async #rest(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.then(
      (thread) => thread.stop(),
      () => {}, // Whoever called was told that it did not start.
    );
  }
}
