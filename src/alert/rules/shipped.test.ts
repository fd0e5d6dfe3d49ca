import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { nodeDisk } from '#base/disk/node.ts';
import { labelsToRecord } from '#model/labels.ts';
import { peer } from '../../../test/peers.ts';
import { parseRuleFile } from './file.ts';
import { loadRuleFiles } from './rules.ts';
import { applicable, linkRunbooks } from './shipped.ts';

const ROOT = path.join(import.meta.dirname, '../../..');
const FOLDER = path.join(ROOT, 'deploy/rules');
const files = fs.readdirSync(FOLDER).filter((file) => file.endsWith('.yml'));

test('every shipped alert says what is wrong and has a runbook and a unit test', () => {
  const names = new Set<string>();
  for (const file of files) {
    const text = fs.readFileSync(path.join(FOLDER, file), 'utf8');
    const area = path.basename(file, '.yml');
    const runbook = fs.readFileSync(path.join(ROOT, 'docs/runbooks', `${area}.md`), 'utf8');
    const tests = parse(fs.readFileSync(path.join(FOLDER, 'tests', file), 'utf8')) as {
      tests: { alert_rule_test: { alertname: string; exp_alerts?: unknown[] }[] }[];
    };
    const tested = tests.tests.flatMap((t) => t.alert_rule_test).filter((t) => (t.exp_alerts ?? []).length > 0);
    for (const rule of parseRuleFile(file, text).groups.flatMap((group) => group.rules)) {
      if (rule.kind !== 'alerting') continue;
      assert.ok(!names.has(rule.name), `${rule.name} twice`);
      names.add(rule.name);
      const { summary, description, runbook_url } = labelsToRecord(rule.annotations);
      assert.ok(summary && description, `${rule.name} lacks a summary or description`);
      assert.equal(runbook_url, `docs/runbooks/${area}.md#${rule.name.toLowerCase()}`);
      assert.ok(runbook.includes(`\n## ${rule.name}\n`), `${rule.name} has no section in its runbook`);
      assert.match(labelsToRecord(rule.labels)['severity'] ?? '', /^(critical|warning|info|none)$/);
      assert.ok(
        tested.some((t) => t.alertname === rule.name),
        `no test in which ${rule.name} fires`,
      );
    }
  }
  assert.ok(names.size > 120, `${names.size} alerts`);
});

const promtool = peer('promtool', 'prometheus');

test('the unit tests of shipped rules pass in promtool', { skip: promtool.skip }, () => {
  const tests = files.map((file) => path.join(FOLDER, 'tests', file));
  const { status, stdout, stderr } = spawnSync(promtool.path, ['test', 'rules', ...tests], { encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
});

test('links to runbooks begin where one says', () => {
  const groups = linkRunbooks(loadRuleFiles(nodeDisk, [path.join(FOLDER, 'mysql.yml')]), 'https://wiki/books/');
  const [rule] = groups[0]!.rules;
  assert.ok(rule?.kind === 'alerting');
  assert.match(labelsToRecord(rule.annotations)['runbook_url']!, /^https:\/\/wiki\/books\/runbooks\/mysql\.md#mysql/);
});

test('only rules whose metrics exist are loaded', () => {
  const groups = loadRuleFiles(nodeDisk, [path.join(FOLDER, '*.yml')]);
  const loaded = (...metrics: string[]) =>
    applicable(groups, new Set(metrics)).flatMap((group) => group.rules.map((rule) => rule.name));
  assert.deepEqual(loaded(), ['Watchdog']);
  assert.deepEqual(loaded('up', 'mysql_up'), ['MysqlDown', 'Watchdog', 'TargetDown', 'JobMostlyDown']);
});
