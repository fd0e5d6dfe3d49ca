// The contract of discovery providers. Each has a folder of its own with the schema of its configuration section and a
// function that makes it run; `providers.ts` lists them all.

import type { Clock } from '#base/clock.ts';
import type { Schema } from '#base/config/schema.ts';
import type { Disk } from '#base/disk/disk.ts';
import type { Logger } from '#base/log.ts';
import type { HttpEnvironment } from '#clients/http/client.ts';
import type { Discoverer } from '#model/target.ts';
import type { DiscoveryMetrics } from './metrics.ts';

/** What a provider gets from the program. */
export type DiscoveryContext = {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Logger;
  readonly metrics: DiscoveryMetrics;
  readonly environment: NonNullable<HttpEnvironment['environment']>;
  /** Stands for this configuration in metrics and logs: the job's name. */
  readonly name: string;
};

/** Turns a file name in a configuration file into one that can be opened. */
export type ResolvePath = (file: string) => string;

export type Provider<C> = {
  /** The field of a job that configures it: "file_sd_configs". */
  readonly key: string;
  /** One entry of that field. */
  readonly schema: (resolve: ResolvePath) => Schema<C>;
  readonly create: (config: C, context: DiscoveryContext) => Discoverer;
};

/** Keeps the types of a provider together and hands it out without them. */
export const provider = <C>(value: Provider<C>): Provider<unknown> => value as Provider<unknown>;
