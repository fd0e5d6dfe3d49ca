import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runBlockCrashes } from './crash-sim.ts';

// More with "npm run sim".
const SEEDS = Number(process.env['PHAROS_SIM_SEEDS'] ?? 120);

test('blocks survive a crash at any call', () => {
  let samples = 0;
  for (let seed = 1; seed <= SEEDS; seed++) samples += runBlockCrashes(seed, 4).samples;
  assert.ok(samples > SEEDS * 20, `${samples} samples were checked`);
});
