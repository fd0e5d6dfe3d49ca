// The configuration of a server or an agent over its life: read at the start, read again when asked, and what became of the last attempt. A
// file that cannot be read, or that some part refuses, leaves the configuration in force as it was.

import type { Clock } from '#base/clock.ts';
import type { Registry } from '#model/registry.ts';
import type { ServerConfig } from './config.ts';

export class Reloading {
  #config: ServerConfig;
  readonly #load: () => ServerConfig;
  readonly #clock: Clock;
  readonly #gauges;
  #at: number;
  #isGood = true;

  constructor(load: () => ServerConfig, clock: Clock, registry: Registry) {
    this.#load = load;
    this.#clock = clock;
    this.#config = load();
    this.#at = clock.now();
    this.#gauges = {
      good: registry.gauge(
        'prometheus_config_last_reload_successful',
        'Whether the last configuration reload attempt was successful.',
      ),
      at: registry.gauge(
        'prometheus_config_last_reload_success_timestamp_seconds',
        'Timestamp of the last successful configuration reload.',
      ),
    };
  }

  /** What is in force. */
  get config(): ServerConfig {
    return this.#config;
  }

  get last(): { readonly at: number; readonly isGood: boolean } {
    return { at: this.#at, isGood: this.#isGood };
  }

  /** Reads the file again and has it applied; throws what is wrong. */
  async again(apply: (next: ServerConfig) => Promise<void>): Promise<void> {
    try {
      const next = this.#load();
      await apply(next);
      this.applied(next);
    } catch (error) {
      this.#isGood = false;
      this.#gauges.good.set(0);
      throw error;
    }
  }

  applied(config: ServerConfig): void {
    this.#config = config;
    this.#at = this.#clock.now();
    this.#isGood = true;
    this.#gauges.good.set(1);
    this.#gauges.at.set(this.#at / 1000);
  }
}
