// Finds the files of a kind below src and runs each in a process of its own: benches, fuzzers, simulations. A file that
// fails makes the whole fail, after the others have run.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const ROOT = path.join(import.meta.dirname, '..');

export function runEntries(
  suffix: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): void {
  const filters = args.filter((arg) => !arg.startsWith('--'));
  const files = ['src', 'bench', 'test']
    .filter((folder) => fs.existsSync(path.join(ROOT, folder)))
    .flatMap((folder) =>
      fs
        .readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
        .map((file) => path.join(folder, file)),
    )
    .filter(
      (file) => file.endsWith(suffix) && (filters.length === 0 || filters.some((filter) => file.includes(filter))),
    )
    .sort();
  if (files.length === 0) {
    console.error(`no file ends with ${suffix}${filters.length > 0 ? ` and contains ${filters.join(' or ')}` : ''}`);
    process.exit(1);
  }
  let failed = 0;
  for (const file of files) {
    console.log(`\n${file}`);
    const result = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', file], {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, ...environment },
    });
    if (result.status !== 0) failed++;
  }
  if (failed > 0) {
    console.error(`\n${failed} of ${files.length} failed`);
    process.exit(1);
  }
}
