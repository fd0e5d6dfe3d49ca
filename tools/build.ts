// `npm run build`: what is published. Sources become plain JavaScript in dist/ with the same folders, `#room/x.ts` imports
// become relative ones; kernels and web application are already in build/.

import fs from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import path from 'node:path';

const ROOT = path.join(import.meta.dirname, '..');
const SRC = path.join(ROOT, 'src');
/** An argument names another folder. */
const DIST = path.resolve(process.argv[2] ?? path.join(ROOT, 'dist'));

fs.rmSync(DIST, { recursive: true, force: true });
const files = fs
  .readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter(
    (file) =>
      file.endsWith('.ts') &&
      !/\.(test|bench|fuzz|suite|d)\.ts$/.test(file) &&
      !/(-sim|\/sim|\.sim|-twin)\.ts$/.test(file),
  );

for (const file of files) {
  const source = fs.readFileSync(path.join(SRC, file), 'utf8');
  const toRoot = path.relative(path.dirname(file), '.') || '.';
  const target = (specifier: string) => {
    const relative = specifier.startsWith('#') ? `${toRoot}/${specifier.slice(1)}` : specifier;
    return relative.replace(/\.ts$/, '.js').replace(/^(?!\.)/, './');
  };
  const stripped = stripTypeScriptTypes(source, { mode: 'strip' })
    .replace(
      /((?:from|import)\s*\(?\s*')([#.][^']+\.ts)(')/g,
      (_, before, specifier, after) => `${before}${target(specifier)}${after}`,
    )
    .replace(/(new URL\(')(\.[^']+\.ts)(')/g, (_, before, specifier, after) => `${before}${target(specifier)}${after}`);
  const out = path.join(DIST, file.replace(/\.ts$/, '.js'));
  fs.mkdirSync(path.dirname(out), { recursive: true });
  fs.writeFileSync(out, stripped);
}
fs.chmodSync(path.join(DIST, 'program', 'main.js'), 0o755);
console.log(`${files.length} files in dist/`);
