// Compiles every kernel/*.ts (not kernel/lib) from AssemblyScript to build/kernel/*.wasm. Kernels share the memory that the
// program passes in: each has its own place for constants (BASES) and allocates nothing itself.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const ROOT = path.join(import.meta.dirname, '..');
const OUT = path.join(ROOT, 'build', 'kernel');

/** Where a kernel's constants lie in the shared memory; below RESERVED_BYTES of src/base/kernel.ts. */
const BASES: Readonly<Record<string, number>> = {
  store: 1024,
  wire: 65_536,
  query: 131_072,
  remote: 196_608,
  print: 229_376,
};

const only = process.argv.slice(2);
fs.mkdirSync(OUT, { recursive: true });
const names = fs
  .readdirSync(path.join(ROOT, 'kernel'))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3))
  .filter((name) => only.length === 0 || only.includes(name));

for (const name of names) {
  const base = BASES[name];
  if (base === undefined) throw new Error(`cannot build kernel ${name}: it has no entry in BASES`);
  const flags = [
    `kernel/${name}.ts --outFile build/kernel/${name}.wasm -O3 --noAssert --converge --runtime stub --debug`,
    '--importMemory --initialMemory 4 --maximumMemory 65536 --use abort=',
    '--enable simd --enable bulk-memory --enable sign-extension --enable nontrapping-f2i --enable mutable-globals',
    `--memoryBase ${base}`,
  ];
  const compiler = path.join(ROOT, 'node_modules', 'assemblyscript', 'bin', 'asc.js');
  const result = spawnSync(process.execPath, [compiler, ...flags.join(' ').split(' ')], {
    cwd: ROOT,
    stdio: 'inherit',
  });
  if (result.status !== 0) throw new Error(`cannot build kernel ${name}`);
}
