// `npm run bench [-- part of a path]`: every x.bench.ts at full size. Inside `npm test` they run tiny.

import { runEntries } from './entries.ts';

runEntries('.bench.ts', process.argv.slice(2), { PHAROS_BENCH: 'full' });
