// A step of the setup: the program as it is run and published. Sources are bundled into a few plain
// JavaScript files in dist/program/, one entry for each kind of thread, because opening hundreds of small files in each
// thread is most of the time a start takes, and their text most of an idle process. Names stay readable in stack traces.

import fs from 'node:fs';
import path from 'node:path';
import { type Plugin, rolldown } from 'rolldown';

const ROOT = path.join(import.meta.dirname, '..');
const SRC = path.join(ROOT, 'src');
/** An argument names another folder. */
const DIST = path.resolve(process.argv[2] ?? path.join(ROOT, 'dist'));
/** Stay packages: big, and loaded by what needs them when it needs them. */
const APART = ['bcryptjs', 'mysql2', 'pg', 're2js', 'undici'];
/** How sources name the file that a thread starts with. */
const THREAD = /new URL\('\.\/([\w-]+)\.ts', import\.meta\.url\)/g;

const sources = fs
  .readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((file) => /(?<!\.(test|bench|fuzz|suite|d))\.ts$/.test(file));
const entries: Record<string, string> = { main: path.join(SRC, 'program', 'main.ts') };
for (const file of sources) {
  for (const [, name] of fs.readFileSync(path.join(SRC, file), 'utf8').matchAll(THREAD)) {
    if (entries[name!]) throw new Error(`cannot build: two threads start with a file called ${name}.ts`);
    entries[name!] = path.join(SRC, path.dirname(file), `${name}.ts`);
  }
}

const NODE_IMPORT = /^import\s+(?!type\b)([^'";]+?)\s+from\s+'(node:[^']+)';/gm;

/**
 * Imports of the runtime's own modules as the objects that they are. An import asks such a module for each of its exports, and some
 * load half the runtime when they are asked for: node:http its WebSocket, and with it TLS, HTTP/2 and 14 MB.
 */
const withoutImports = (code: string): string =>
  code.replace(NODE_IMPORT, (_, clause: string, name: string) => {
    const [, whole, named] = /^(?:(?:\* as )?(\w+))?,?\s*(?:\{([^}]*)\})?$/.exec(clause) ?? [];
    if (whole === undefined && named === undefined) throw new Error(`cannot build: import ${clause} from ${name}`);
    const values = (named ?? '').split(',').map((one) => one.trim());
    const taken = values
      .filter((one) => one !== '' && !one.startsWith('type '))
      .map((one) => one.replace(' as ', ': '));
    const module = `process.getBuiltinModule('${name}')`;
    return [
      whole === undefined ? '' : `const ${whole} = ${module};`,
      taken.length === 0 ? '' : `const { ${taken.join(', ')} } = ${module};`,
    ].join(' ');
  });

const packages = new Set<string>();
const asBuilt: Plugin = {
  name: 'as-built',
  transform(code, id) {
    const [, name] = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id) ?? [];
    if (name) packages.add(name);
    return id.startsWith(SRC) ? withoutImports(code).replace(THREAD, "new URL('./$1.js', import.meta.url)") : undefined;
  },
  /** A single character beyond Latin-1 would double the memory that the text of a whole file takes. */
  renderChunk: (code) =>
    code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
};

fs.rmSync(DIST, { recursive: true, force: true });
/** A thread is one file; the main thread loads the parts that its role needs. */
for (const [name, file] of Object.entries(entries)) {
  const bundle = await rolldown({
    input: { [name]: file },
    platform: 'node',
    external: (id) => id.startsWith('node:') || APART.some((apart) => id === apart || id.startsWith(`${apart}/`)),
    plugins: [asBuilt],
  });
  await bundle.write({
    dir: path.join(DIST, 'program'),
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
    codeSplitting: name === 'main',
    minify: { mangle: false, compress: true, codegen: true },
    comments: { legal: true, annotation: false, jsdoc: false },
  });
}
const main = path.join(DIST, 'program', 'main.js');
fs.writeFileSync(main, `#!/usr/bin/env node\n${fs.readFileSync(main, 'utf8').replace(/^#!.*\n/, '')}`);
fs.chmodSync(main, 0o755);

const licenses = [...packages].sort().map((name) => {
  const folder = path.join(ROOT, 'node_modules', name);
  const file = fs.readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file) throw new Error(`cannot build: ${name} has no license file`);
  return `${name}\n\n${fs.readFileSync(path.join(folder, file), 'utf8').trim()}\n`;
});
fs.writeFileSync(path.join(DIST, 'LICENSES.txt'), licenses.join('\n\n'));
console.log(
  `${fs.readdirSync(path.join(DIST, 'program')).length} files in ${path.relative(ROOT, DIST) || '.'}/program/`,
);
