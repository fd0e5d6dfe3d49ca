// The suite that every discovery provider runs: its configuration loads, it finds what its world holds, follows a change,
// and stops when it is told to.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { loadYaml } from '#base/config/load.ts';
import { list } from '#base/config/schema.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { Registry } from '#model/registry.ts';
import type { TargetGroup } from '#model/target.ts';
import { discoveryMetrics } from './metrics.ts';
import type { DiscoveryContext, Provider } from './provider.ts';

export type LabelSet = Readonly<Record<string, string | undefined>>;

/** A place to discover in. */
export type World = {
  /** The provider's section, one entry, as YAML. */
  readonly config: string;
  /** Every target with its group's labels, in any order. */
  readonly found: readonly LabelSet[];
  /** Changes the world. */
  readonly change: () => void | Promise<void>;
  readonly foundAfter: readonly LabelSet[];
  readonly close: () => void | Promise<void>;
};

export function providerSuite(
  name: string,
  provider: Provider<unknown>,
  create: () => Promise<World>,
  skip: string | false = false,
): void {
  test(`${name}: finds, follows changes, stops`, { skip }, async () => {
    const world = await create();
    const watch = watchProvider(provider, world.config);
    try {
      await watch.until(world.found);
      await world.change();
      await watch.until(world.foundAfter);
    } finally {
      await watch.stop();
      await world.close();
    }
  });
}

export function discoveryContext(): DiscoveryContext {
  return {
    clock: systemClock,
    disk: nodeDisk,
    log: silentLogger,
    metrics: discoveryMetrics(new Registry()),
    environment: {},
    name: 'suite',
  };
}

const LIMIT_MS = 20_000;

/** Runs a provider and keeps what it has told. */
export function watchProvider(provider: Provider<unknown>, yaml: string) {
  const [config] = loadYaml(yaml, list(provider.schema((file) => file)), 'suite.yml');
  return watchDiscoverer(provider.create(config, discoveryContext()));
}

export function watchDiscoverer(discoverer: {
  run(update: (groups: readonly TargetGroup[]) => void, signal: AbortSignal): Promise<void>;
}) {
  const groups = new Map<string, TargetGroup>();
  const abort = new AbortController();
  let wake = () => {};
  const run = discoverer.run((updates) => {
    for (const group of updates) {
      if (group.targets.length > 0) groups.set(group.source, group);
      else groups.delete(group.source);
    }
    wake();
  }, abort.signal);
  const found = () =>
    [...groups.values()].flatMap((group) => group.targets.map((target) => clean({ ...group.labels, ...target })));
  return {
    found,
    async until(expected: readonly LabelSet[]): Promise<void> {
      const want = sorted(expected.map(clean));
      const end = systemClock.monotonic() + LIMIT_MS;
      while (JSON.stringify(sorted(found())) !== JSON.stringify(want)) {
        const left = end - systemClock.monotonic();
        if (left <= 0) assert.deepEqual(sorted(found()), want);
        await new Promise<void>((resolve) => {
          wake = resolve;
          systemClock.after(left, resolve, true);
        });
      }
    },
    async stop(): Promise<void> {
      abort.abort();
      await run;
    },
  };
}

/** Empty labels are no labels. */
const clean = (labels: LabelSet): LabelSet =>
  Object.fromEntries(
    Object.entries(labels)
      .filter(([, value]) => value !== '' && value !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
const sorted = (sets: readonly LabelSet[]) => sets.map((set) => JSON.stringify(set)).sort();
