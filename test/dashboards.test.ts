// The dashboards that ship: the files agree with their definitions, every query is PromQL, every text is in both languages.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { parseExpr } from '#query/parse/parser.ts';
import { builtIns, interpolate } from '#view/interpolate.ts';
import { allPanels, readDashboard, type Text } from '#view/model.ts';
import { knowsUnit } from '#view/units.ts';
import { definitionFiles } from '../tools/dashboards/build.ts';
import { DEFINITIONS } from '../tools/dashboards/definitions.ts';

const FOLDER = path.join(import.meta.dirname, '..', 'deploy', 'dashboards');
const files = fs.readdirSync(FOLDER).filter((name) => name.endsWith('.json'));

test('files agree with tools/dashboards (node tools/build-dashboards.ts writes them)', () => {
  const wanted = definitionFiles(DEFINITIONS);
  assert.deepEqual(files.sort(), [...wanted.keys()].sort());
  for (const [name, content] of wanted) assert.equal(fs.readFileSync(path.join(FOLDER, name), 'utf8'), content, name);
});

for (const file of files) {
  test(file, () => {
    const dashboard = readDashboard(JSON.parse(fs.readFileSync(path.join(FOLDER, file), 'utf8')));
    const scope = {
      ...builtIns({ fromMs: 0, toMs: 3_600_000, intervalMs: 15_000, scrapeMs: 15_000 }),
      ...Object.fromEntries(
        (dashboard.variables ?? []).map((variable) => [variable.name, { values: ['a', 'b.c'], multi: true }]),
      ),
    };
    const texts: (Text | undefined)[] = [
      dashboard.title,
      dashboard.description,
      ...(dashboard.variables ?? []).map((one) => one.label),
    ];
    for (const panel of allPanels(dashboard)) {
      texts.push(panel.title, panel.description);
      for (const query of panel.queries) {
        parseExpr(interpolate(query.expr, scope, 'prometheus'));
        if (typeof query.legend === 'object') texts.push(query.legend);
      }
      assert.ok(knowsUnit(panel.field?.unit ?? ''), `unit ${panel.field?.unit}`);
    }
    for (const one of texts.filter((text) => text !== undefined)) {
      assert.ok(typeof one === 'object' && one.en !== '' && one.zh, `only in one language: ${JSON.stringify(one)}`);
    }
  });
}
