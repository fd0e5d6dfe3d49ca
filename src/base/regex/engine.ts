// The engine for patterns that cannot be reduced. It is large, and many threads never meet such a pattern, so it is loaded
// by the first one that does.

import { createRequire } from 'node:module';

const load = createRequire(import.meta.url);

export const re2 = (): typeof import('re2js').RE2JS => (load('re2js') as typeof import('re2js')).RE2JS;
