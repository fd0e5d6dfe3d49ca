// Writes deploy/dashboards/*.json from the definitions in tools/dashboards; a test checks that they agree.

import fs from 'node:fs';
import path from 'node:path';
import { definitionFiles } from './dashboards/build.ts';
import { DEFINITIONS } from './dashboards/definitions.ts';

const folder = path.join(import.meta.dirname, '..', 'deploy', 'dashboards');
fs.mkdirSync(folder, { recursive: true });
for (const [name, content] of definitionFiles(DEFINITIONS)) fs.writeFileSync(path.join(folder, name), content);
console.log(`${DEFINITIONS.length} dashboards in deploy/dashboards`);
