// Crashes while blocks are worked on, seed after seed: `PHAROS_SIM_SEEDS=100000 npm run sim -- compact`.

import { runBlockCrashes } from './crash-sim.ts';

const first = Number(process.env['PHAROS_SIM_FIRST'] ?? 1000);
const seeds = Number(process.env['PHAROS_SIM_SEEDS'] ?? 5000);
let samples = 0;
for (let seed = first; seed < first + seeds; seed++) {
  samples += runBlockCrashes(seed, 5).samples;
  if ((seed - first + 1) % 500 === 0) console.log(`${seed - first + 1} seeds, ${samples} samples written`);
}
console.log(`${seeds * 5} crashes, ${samples} samples, nothing lost`);
