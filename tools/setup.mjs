// Brings a checkout to where it can run: packages, kernels, web application; only what is stale. Plain JavaScript,
// because it runs on whatever Node (18 or later) the machine has; everything else runs on the pinned runtime.
// With --test, what only tests need is made ready too.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const at = (...parts) => path.join(root, ...parts);
const runtime = at('node_modules', '.bin', 'node');

if (Number(process.versions.node.split('.')[0]) < 18) {
  console.error(`cannot set up: Node ${process.versions.node} is too old, 18 or later is needed`);
  process.exit(1);
}

function run(command, args) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (result.error) throw result.error;
  if (result.status !== 0) {
    console.error(`cannot set up: ${[command, ...args].join(' ')} failed`);
    process.exit(result.status ?? 1);
  }
}

function filesBelow(folder) {
  if (!fs.existsSync(folder)) return [];
  if (fs.statSync(folder).isFile()) return [folder];
  return fs
    .readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.name !== 'node_modules')
    .flatMap((entry) => filesBelow(path.join(folder, entry.name)))
    .sort();
}

/** A hash of the contents of files and folders. */
function fingerprint(inputs) {
  const hash = createHash('sha256');
  for (const file of inputs.map((input) => at(input)).flatMap(filesBelow)) {
    hash.update(`${path.relative(root, file)}\0`);
    hash.update(fs.readFileSync(file));
    hash.update('\0');
  }
  return hash.digest('hex');
}

/** Runs a step unless its stamp says that it ran on the same inputs. */
function step(name, stamp, inputs, action) {
  const wanted = fingerprint(inputs);
  const file = at(stamp);
  if (fs.existsSync(file) && fs.readFileSync(file, 'utf8') === wanted) return;
  const started = performance.now();
  if (process.stdout.isTTY) process.stdout.write(`setting up ${name} ...`);
  else console.log(`setting up ${name}`);
  action();
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, wanted);
  if (process.stdout.isTTY) console.log(` ${((performance.now() - started) / 1000).toFixed(1)} s`);
}

step('packages', 'node_modules/.setup', ['package-lock.json'], () => {
  run('npm', ['ci', '--loglevel=error', '--no-fund', '--no-audit']);
});
if (!fs.existsSync(runtime)) {
  console.error(
    `cannot set up: no runtime for ${process.platform}-${process.arch} was installed. ` +
      'Supported are linux-x64 and linux-arm64; elsewhere install Node 24.12 or later and the packed release.',
  );
  process.exit(1);
}
step('kernels', 'build/kernel/.setup', ['kernel', 'tools/build-kernels.ts', 'package-lock.json'], () => {
  run(runtime, [at('tools', 'build-kernels.ts')]);
});
step('the program', 'dist/.setup', ['src', 'tools/build.ts', 'package-lock.json'], () => {
  // Compiled code of what was built before is of no more use.
  fs.rmSync(at('build', 'cache'), { recursive: true, force: true });
  run(runtime, [at('tools', 'build.ts')]);
});
if (fs.existsSync(at('web', 'index.html'))) {
  step(
    'the web application',
    'build/web/.setup',
    ['web', 'src/view', 'tools/build-web.ts', 'package-lock.json'],
    () => {
      run(runtime, [at('tools', 'build-web.ts')]);
    },
  );
}
