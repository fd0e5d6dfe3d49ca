// Routes that the server and the agent have alike: life cycle, status, targets.

import os from 'node:os';
import type { Clock } from '#base/clock.ts';
import { parseSelector } from '#query/parse/parser.ts';
import type { ShardPool } from '#scale/shards/pool.ts';
import type { Route } from '#serve/http.ts';
import { lifecycleRoutes } from '#serve/lifecycle.ts';
import { splitAddress } from '#serve/server.ts';
import { statusRoutes } from '#serve/status.ts';
import { targetRoutes } from '#serve/targets.ts';
import type { Collecting } from './collecting.ts';
import { buildInfo } from './version.ts';

export type SharedRoutes = {
  /** As /-/healthy names the program. */
  readonly name: string;
  readonly flags: {
    readonly 'web.enable-lifecycle': boolean;
    readonly 'web.listen-address': readonly string[];
  };
  /** As the status page shows them. */
  readonly flagTexts: () => Readonly<Record<string, string>>;
  readonly externalUrl: URL;
  readonly startedAt: number;
  readonly clock: Clock;
  readonly pool: () => ShardPool;
  readonly collecting: Collecting;
  readonly ready: () => boolean;
  readonly reload: () => Promise<void>;
  readonly quit: () => void;
  readonly lastReload: () => { readonly at: number; readonly isGood: boolean };
  readonly configText: () => string;
  readonly jobText: (name: string) => string | undefined;
  /** '' without a store. */
  readonly retention: () => string;
};

export function sharedRoutes(parts: SharedRoutes): readonly Route[] {
  const { flags, collecting, clock, pool } = parts;
  return [
    ...lifecycleRoutes({
      name: parts.name,
      enabled: flags['web.enable-lifecycle'],
      ready: () => parts.ready() || 'starting',
      reload: parts.reload,
      quit: parts.quit,
      version: buildInfo(),
    }),
    ...statusRoutes({
      build: buildInfo(),
      flags: parts.flagTexts,
      runtime: () => ({
        startedAt: parts.startedAt,
        workingFolder: process.cwd(),
        hostname: os.hostname(),
        now: clock.now(),
        reloadedWell: parts.lastReload().isGood,
        reloadedAt: parts.lastReload().at,
        corruptions: 0,
        threads: pool().shards + 1,
        retention: parts.retention(),
        shards: pool().states(),
      }),
    }),
    ...targetRoutes({
      targets: collecting.targets,
      statuses: collecting.statuses,
      families: collecting.families,
      parseSelector,
      configText: parts.configText,
      jobText: parts.jobText,
      externalUrl: parts.externalUrl.href.replace(/\/$/, ''),
      listenPort: splitAddress(flags['web.listen-address'][0]!).port,
    }),
  ];
}
