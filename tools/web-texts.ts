// Lists texts that the browser application uses and web/texts.ts lacks, and those it has for nothing. The type check
// finds the former as well; this prints them all at once for whoever translates.

import fs from 'node:fs';
import path from 'node:path';
import { TEXTS } from '../web/texts.ts';

const WEB = path.join(import.meta.dirname, '..', 'web');
const sources = fs
  .readdirSync(WEB, { recursive: true, encoding: 'utf8' })
  .filter((file) => /\.tsx?$/.test(file) && !file.includes('.test.') && file !== 'texts.ts')
  .map((file) => fs.readFileSync(path.join(WEB, file), 'utf8'));
const all = sources.join('\n');

const used = new Set(
  [...all.matchAll(/\bt\(\s*'((?:[^'\\]|\\.)+)'/g)].map((match) => match[1]!.replaceAll("\\'", "'")),
);
const missing = [...used].filter((text) => !(text in TEXTS));
const unused = Object.keys(TEXTS).filter(
  (text) => !all.includes(`'${text.replaceAll("'", "\\'")}'`) && !all.includes(`"${text}"`),
);
for (const text of missing) console.log(`missing: ${text}`);
for (const text of unused) console.log(`unused: ${text}`);
process.exit(missing.length + unused.length > 0 ? 1 : 0);
