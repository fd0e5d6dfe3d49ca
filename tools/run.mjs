// Runs a TypeScript tool on the pinned runtime whichever Node started this: `node tools/run.mjs tools/x.ts [args]`.

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const result = spawnSync(path.join(root, 'node_modules', '.bin', 'node'), process.argv.slice(2), {
  cwd: root,
  stdio: 'inherit',
});
if (result.error) throw result.error;
process.exit(result.status ?? 1);
