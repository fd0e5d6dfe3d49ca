import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runCrashes } from './crash-sim.ts';

// More with "npm run sim".
const SEEDS = Number(process.env['PHAROS_SIM_SEEDS'] ?? 250);

test('nothing acknowledged is lost at any crash', async () => {
  let samples = 0;
  for (let seed = 1; seed <= SEEDS; seed++) samples += (await runCrashes(seed, 4)).samples;
  assert.ok(samples > SEEDS * 50, `${samples} samples were checked`);
});
