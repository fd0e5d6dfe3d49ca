// What the server says of itself under /api/v1/status: build, flags, run time.

import os from 'node:os';
import { type Route, success } from './http.ts';

export type StatusOptions = {
  readonly build: Readonly<Record<string, string>>;
  readonly flags: () => Readonly<Record<string, string>>;
  readonly runtime: () => RuntimeInfo | Promise<RuntimeInfo>;
};

export type RuntimeInfo = {
  readonly startedAt: number;
  readonly workingFolder: string;
  readonly hostname: string;
  readonly now: number;
  readonly reloadedWell: boolean;
  readonly reloadedAt: number;
  readonly corruptions: number;
  readonly threads: number;
  readonly retention: string;
  readonly shards: readonly { readonly shard: number; readonly up: boolean; readonly restarts: number }[];
};

export function statusRoutes(options: StatusOptions): Route[] {
  return [
    { methods: ['GET'], pattern: '/api/v1/status/buildinfo', handler: () => success(options.build) },
    { methods: ['GET'], pattern: '/api/v1/status/flags', handler: () => success(options.flags()) },
    {
      methods: ['GET'],
      pattern: '/api/v1/status/runtimeinfo',
      handler: async () => {
        const info = await options.runtime();
        const seconds = (ms: number) => new Date(ms).toISOString();
        return success({
          startTime: seconds(info.startedAt),
          CWD: info.workingFolder,
          hostname: info.hostname,
          serverTime: seconds(info.now),
          reloadConfigSuccess: info.reloadedWell,
          lastConfigTime: seconds(info.reloadedAt),
          corruptionCount: info.corruptions,
          goroutineCount: info.threads,
          GOMAXPROCS: os.availableParallelism(),
          GOMEMLIMIT: os.totalmem(),
          GOGC: '',
          GODEBUG: '',
          storageRetention: info.retention,
          shards: info.shards,
        });
      },
    },
  ];
}
