// Keeps the tree tidy: layers, forbidden globals outside the rooms that own them, dead files, paths that leave a room.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

const ROOT = path.join(import.meta.dirname, '..');
const LAYERS: Record<string, number> = {
  base: 0,
  model: 1,
  wire: 2,
  clients: 3,
  collect: 4,
  exporters: 4,
  store: 4,
  query: 4,
  alert: 5,
  view: 5,
  scale: 6,
  kube: 6,
  fleet: 6,
  serve: 7,
  program: 8,
};

/** What each pattern may be used in: folders or files below src/. */
const BANNED: readonly { readonly what: string; readonly pattern: RegExp; readonly allowed: readonly string[] }[] = [
  { what: 'Date.now or new Date()', pattern: /\bDate\.now\b|\bnew Date\(\s*\)/, allowed: ['base/clock.ts'] },
  {
    what: 'timers',
    pattern: /(?<![.\w#])(setTimeout|setInterval)\(|node:timers/,
    allowed: ['base/clock.ts'],
  },
  { what: 'performance.now', pattern: /\bperformance\.now\b/, allowed: ['base/clock.ts'] },
  { what: 'Math.random', pattern: /\bMath\.random\b/, allowed: ['base/random.ts'] },
  { what: 'global fetch', pattern: /(?<![.\w#])fetch\(/, allowed: ['serve/push-page.ts'] },
  {
    what: 'node:fs',
    pattern: /from 'node:fs(\/promises)?'/,
    allowed: [
      'base/disk/node.ts',
      'base/files.ts',
      'base/kernel.ts',
      'exporters/node/',
      'exporters/container/',
      'exporters/process/',
      'program/',
    ],
  },
];

const sources = listFiles(path.join(ROOT, 'src')).filter((file) => file.endsWith('.ts'));
const isTest = (file: string) => /\.(test|bench|fuzz|sim|suite)\.ts$/.test(file);
const read = (file: string) => fs.readFileSync(path.join(ROOT, 'src', file), 'utf8');
const code = (file: string) => read(file).replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '');

function listFiles(folder: string, below = ''): string[] {
  return fs
    .readdirSync(path.join(folder, below), { withFileTypes: true })
    .flatMap((entry) =>
      entry.isDirectory() ? listFiles(folder, path.join(below, entry.name)) : [path.join(below, entry.name)],
    );
}

function importsOf(file: string): { specifier: string; typeOnly: boolean }[] {
  const found: { specifier: string; typeOnly: boolean }[] = [];
  const pattern =
    /(?:^|\n)\s*(?:import|export)\s+(type\s)?[^'";]*?from\s+'([^']+)'|import\(\s*'([^']+)'|(?:^|\n)import\s+'([^']+)'|new URL\('([^']+\.ts)'/g;
  for (const match of code(file).matchAll(pattern)) {
    found.push({ specifier: (match[2] ?? match[3] ?? match[4] ?? match[5])!, typeOnly: match[1] !== undefined });
  }
  return found;
}

function resolve(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) return specifier.slice(1);
  if (specifier.startsWith('.')) return path.join(path.dirname(file), specifier);
  return undefined;
}

const room = (file: string) => file.split(path.sep)[0]!;

test('every room has a layer', () => {
  const unknown = [...new Set(sources.map(room))].filter((name) => !(name in LAYERS));
  assert.deepEqual(unknown, [], 'rooms that are not in LAYERS');
});

test('a room imports only from lower rows', () => {
  const wrong: string[] = [];
  for (const file of sources) {
    for (const { specifier } of importsOf(file)) {
      const target = resolve(file, specifier);
      if (target === undefined) continue;
      const [from, to] = [room(file), room(target)];
      if (from !== to && LAYERS[to]! >= LAYERS[from]!) wrong.push(`${file} imports ${specifier}`);
      // Tests may use what whole-program tests share, and anything may read the package's description.
      if (/^(\.\.\/)+(test\/[\w-]+\.ts|package\.json)$/.test(specifier)) continue;
      if (specifier.startsWith('.') && from !== to) wrong.push(`${file} leaves its room by ${specifier}`);
      if (specifier.startsWith('#') && from === to && !isTest(file))
        wrong.push(`${file}: ${specifier} is in its own room, use a relative path`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('every import exists', () => {
  const files = new Set(sources);
  const wrong = sources.flatMap((file) =>
    importsOf(file)
      .filter(({ specifier }) => !/^(\.\.\/)+test\//.test(specifier))
      .map(({ specifier }) => ({ specifier, target: resolve(file, specifier) }))
      .filter(({ target }) => target?.endsWith('.ts') && !files.has(target))
      .map(({ specifier }) => `${file}: ${specifier}`),
  );
  assert.deepEqual(wrong, []);
});

test('time, randomness, network and disk come in as arguments', () => {
  const wrong: string[] = [];
  for (const file of sources.filter((f) => !isTest(f))) {
    const content = code(file);
    for (const { what, pattern, allowed } of BANNED) {
      if (pattern.test(content) && !allowed.some((prefix) => file.startsWith(prefix))) wrong.push(`${file}: ${what}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('no file is dead', () => {
  const entries = sources.filter((file) => file.startsWith('program/'));
  const webAndTools = ['web', 'tools', 'test', 'bench', 'deploy']
    .map((folder) => path.join(ROOT, folder))
    .filter((folder) => fs.existsSync(folder))
    .flatMap((folder) => listFiles(folder).map((file) => path.join(folder, file)))
    .filter((file) => /\.(ts|tsx|mjs)$/.test(file) && !file.includes('node_modules'));
  const reached = new Set<string>();
  const queue = [...entries];
  for (const file of webAndTools.filter((f) => !isTest(f))) {
    for (const match of fs.readFileSync(file, 'utf8').matchAll(/'(?:#|(?:\.\.\/)+src\/)([^']+\.ts)'/g))
      queue.push(match[1]!);
  }
  while (queue.length > 0) {
    const file = queue.pop()!;
    if (reached.has(file)) continue;
    reached.add(file);
    for (const { specifier } of importsOf(file)) {
      const target = resolve(file, specifier);
      if (target && sources.includes(target)) queue.push(target);
    }
  }
  const twins = /(-sim|\/sim|\.sim|\.suite|-twin|\.d|^base\/bench)\.ts$/;
  const dead = sources.filter((file) => !reached.has(file) && !isTest(file) && !twins.test(file));
  assert.deepEqual(dead, [], 'files that no program reaches; delete them or wire them');
});

test('documents name no file that does not exist', () => {
  const readme = read('README.md');
  const missing = [...readme.matchAll(/`(test\/[\w./-]+)`/g)]
    .map((m) => m[1]!)
    .filter((file) => !fs.existsSync(path.join(ROOT, file)));
  assert.deepEqual(missing, []);
});

test('large files explain themselves', () => {
  const wrong = sources.filter((file) => {
    const lines = read(file).split('\n');
    return lines.length > 600 && !/\b(table|grammar|suite|catalog)\b/i.test(lines.slice(0, 8).join(' '));
  });
  assert.deepEqual(wrong, [], 'files above 600 lines whose header does not say why');
});

test('nothing is switched off', () => {
  const wrong = sources
    .concat()
    .filter((file) => isTest(file) && /\b(test|it|describe)\.(only|skip)\(/.test(read(file)));
  assert.deepEqual(wrong, []);
});
