// `npm test`: format and lint, types, then every test. Arguments narrow the tests to paths that contain one of them;
// --only-tests leaves out the first two. PHAROS_REQUIRE_PEERS=1 makes a missing peer program a failure.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const ROOT = path.join(import.meta.dirname, '..');
const args = process.argv.slice(2);
const filters = args.filter((arg) => !arg.startsWith('--'));

function run(what: string, command: string, commandArgs: string[]): void {
  const result = spawnSync(command, commandArgs, { cwd: ROOT, stdio: 'inherit' });
  if (result.status !== 0) {
    console.error(`\n${what} failed`);
    process.exit(result.status ?? 1);
  }
}

if (!args.includes('--only-tests')) {
  run('format and lint', 'node_modules/.bin/biome', ['check', '--error-on-warnings', '--diagnostic-level=warn', '.']);
  run('type check', 'node_modules/.bin/tsc', ['-p', '.']);
  if (fs.existsSync(path.join(ROOT, 'web', 'tsconfig.json'))) {
    run('type check of the web application', 'node_modules/.bin/tsc', ['-p', 'web']);
  }
}

const files = ['src', 'test', 'web', 'tools']
  .filter((folder) => fs.existsSync(path.join(ROOT, folder)))
  .flatMap((folder) =>
    fs
      .readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .map((file) => path.join(folder, file)),
  )
  .filter((file) => file.endsWith('.test.ts') && !file.includes('node_modules'))
  .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
  .sort();
if (files.length === 0) {
  console.error(`no test file matches ${filters.join(' ')}`);
  process.exit(1);
}
run('test', process.execPath, [
  '--test',
  '--test-concurrency=2',
  `--test-reporter=${process.stdout.isTTY ? 'spec' : 'dot'}`,
  '--test-reporter-destination=stdout',
  '--test-timeout=600000',
  // A test that failed before it could close what it had opened must not hold everything up.
  '--test-force-exit',
  '--disable-warning=ExperimentalWarning',
  ...files,
]);
