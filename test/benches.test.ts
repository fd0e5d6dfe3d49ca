// Runs every bench at its tiny size, so that they keep working.

import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

const SRC = path.join(import.meta.dirname, '..', 'src');
const files = fs.readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.bench.ts'));
/** Of the benches of whole programs, those that need no other program. */
const whole = ['alert-soak.bench.ts'].map((file) => path.join('..', 'test', file));

for (const file of [...files, ...whole]) {
  test(`bench ${file} runs`, async () => {
    await import(path.join(SRC, file));
  });
}
