// Builds the browser application into build/web and stores every asset compressed beside itself, so that the server
// only picks the encoding the client accepts.

import fs from 'node:fs';
import path from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { build } from 'vite';

const ROOT = path.join(import.meta.dirname, '..');
const TARGET = path.join(ROOT, 'build', 'web');
const COMPRESSIBLE = /\.(js|css|html|svg|json)$/;
const MIN_BYTES = 512;

await build({ configFile: path.join(ROOT, 'web', 'vite.config.ts'), logLevel: 'warn' });

for (const file of fs.readdirSync(TARGET, { recursive: true, encoding: 'utf8' })) {
  const full = path.join(TARGET, file);
  if (!COMPRESSIBLE.test(file) || file === 'index.html' || fs.statSync(full).size < MIN_BYTES) continue;
  const bytes = fs.readFileSync(full);
  fs.writeFileSync(`${full}.gz`, gzipSync(bytes, { level: 9 }));
  fs.writeFileSync(`${full}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 7 } }));
}
