// What tests of receivers share: receivers of a configuration before a twin of the store, stopped when the tests of the file are through.

import assert from 'node:assert/strict';
import { after } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { loadYaml } from '#base/config/load.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { silentLogger } from '#base/log.ts';
import { seeded } from '#base/random.ts';
import { Registry } from '#model/registry.ts';
import { receiveSection } from './config.ts';
import { DEFAULT_OTLP } from './otlp/config.ts';
import { Receivers } from './receivers.ts';
import { REMOTE_WRITE_DEFAULTS } from './remote-write.ts';
import { StoreTwin } from './store-twin.ts';

/** Run behind the last test of the file, in their order. */
export const cleanups: (() => unknown)[] = [];
after(async () => {
  for (const clean of cleanups) await clean();
});

export async function setUp(yaml: string) {
  const store = new StoreTwin();
  const registry = new Registry();
  const receivers = new Receivers(
    { appender: store, clock: systemClock, random: seeded(1), registry, log: silentLogger, disk: nodeDisk },
    {
      remoteWrite: REMOTE_WRITE_DEFAULTS,
      otlp: {
        settings: () => ({ section: DEFAULT_OTLP, allowDelta: false, typeAndUnitLabels: false, lookbackMs: 300_000 }),
        convertDelta: false,
      },
      listens: true,
    },
  );
  await receivers.apply(loadYaml(yaml, receiveSection, 'receive.yml'));
  cleanups.push(() => receivers.stop());
  return { store, receivers, registry };
}

export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `waited in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
