// `npm run fuzz [-- part of a path]`: every x.fuzz.ts for a minute each, PHAROS_FUZZ_SECONDS sets how long.

import { runEntries } from './entries.ts';

runEntries('.fuzz.ts', process.argv.slice(2), { PHAROS_FUZZ_SECONDS: process.env['PHAROS_FUZZ_SECONDS'] ?? '60' });
