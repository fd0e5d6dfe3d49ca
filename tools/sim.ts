// `npm run sim [-- part of a path]`: every x.sim.ts, each with more seeds than the tests take. PHAROS_SIM_SEEDS says how many, PHAROS_SIM_FIRST where
// to begin.

import { runEntries } from './entries.ts';

runEntries('.sim.ts', process.argv.slice(2), {});
