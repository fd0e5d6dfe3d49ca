import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { peer } from '../../../test/peers.ts';

const PHAROS = path.join(import.meta.dirname, '../../../pharos');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-tool-'));
after(() => fs.rmSync(folder, { recursive: true }));

const FILES = {
  'good.yml': 'groups:\n- name: g\n  rules:\n  - {record: a, expr: up}\n  - {alert: B, expr: up == 0, for: 5m}\n',
  'twice.yml':
    'groups:\n- name: g\n  rules:\n  - {record: a, expr: up, labels: {x: y}}\n  - {record: a, expr: up, labels: {x: y}}\n',
  'bad.yml': 'groups:\n- name: g\n  rules:\n  - record: a\n    expr: up +\n',
  'c-good.yml': 'rule_files: [good.yml]\nscrape_configs: [{job_name: a, static_configs: [{targets: [b]}]}]\n',
  'c-bad-rules.yml': 'rule_files: [bad.yml]\n',
  'c-no-file.yml': 'rule_files: [none.yml]\n',
  'c-no-files.yml': 'rule_files: ["none*.yml"]\n',
  'c-address.yml':
    'scrape_configs: [{job_name: a, relabel_configs: [{regex: x, action: labeldrop}], static_configs: [{targets: ["http://b"]}]}]\n',
  'c-credentials.yml':
    'scrape_configs: [{job_name: a, authorization: {credentials_file: /none/x}, static_configs: [{targets: [b]}]}]\n',
  'c-sd.yml': 'scrape_configs: [{job_name: a, file_sd_configs: [{files: [/none/x.yml]}]}]\n',
  'c-am.yml':
    'alerting: {alertmanagers: [{static_configs: [{targets: ["http://b"]}], relabel_configs: [{regex: x, action: labeldrop}]}]}\n',
  't-good.yml':
    'rule_files: [good.yml]\ntests:\n- interval: 1m\n  input_series: [{series: up, values: 0x9}]\n  alert_rule_test: [{eval_time: 6m, alertname: B, exp_alerts: [{}]}]\n',
  't-bad.yml':
    'rule_files: [good.yml]\ntests:\n- interval: 1m\n  input_series: [{series: up, values: 0x9}]\n  alert_rule_test: [{eval_time: 6m, alertname: B}]\n',
  't-no-rules.yml': 'rule_files: [none.yml]\ntests: []\n',
};
for (const [name, text] of Object.entries(FILES)) fs.writeFileSync(path.join(folder, name), text);

const run = (program: string, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: folder, encoding: 'utf8' });
  return { status, stdout, stderr: stderr.replaceAll(`${folder}/`, '') };
};

const promtool = peer('promtool', 'prometheus');

for (const args of [
  ['check', 'rules', 'good.yml'],
  ['check', 'rules', 'good.yml', 'twice.yml', 'bad.yml'],
  ['check', 'rules', '--lint-fatal', 'twice.yml'],
  ['check', 'rules', '--lint=none', '--lint-fatal', 'twice.yml'],
  ['check', 'config', 'c-good.yml'],
  ['check', 'config', 'c-bad-rules.yml'],
  ['check', 'config', 'c-no-file.yml'],
  ['check', 'config', '--syntax-only', 'c-no-file.yml'],
  ['check', 'config', 'c-no-files.yml'],
  ['check', 'config', 'c-address.yml'],
  ['check', 'config', 'c-credentials.yml'],
  ['check', 'config', '--syntax-only', 'c-credentials.yml'],
  ['check', 'config', 'c-sd.yml'],
  ['check', 'config', 'c-am.yml'],
  ['test', 'rules', 't-good.yml'],
  ['test', 'rules', 't-good.yml', 't-bad.yml'],
  ['test', 'rules', 't-no-rules.yml'],
]) {
  test(`as promtool ${args.join(' ')}`, { skip: promtool.skip }, () => {
    const theirs = run(promtool.path, ...args);
    const ours = run(PHAROS, 'tool', ...args);
    // We name files in full; newer versions indent errors of rule files no more and print one empty line less after them.
    const plain = ({ status, stdout, stderr }: typeof ours) => ({
      status,
      stdout: stdout.replaceAll(`${folder}/`, '').trimEnd(),
      stderr: stderr.replace(/^ {5}(?=\S+\.yml)/gm, ''),
    });
    assert.deepEqual(plain(ours), plain(theirs));
  });
}

test('commands that are misspelled are refused with the nearest one', () => {
  assert.match(run(PHAROS, 'tool', 'check', 'rule').stderr, /did you mean check rules/);
  assert.equal(run(PHAROS, 'tool', 'check', 'rule').status, 2);
  assert.match(run(PHAROS, 'tool', '--help').stdout, /test rules <test-rule-file>/);
});

test('results are stored as JUnit XML', () => {
  run(PHAROS, 'tool', 'test', 'rules', '--junit=out.xml', 't-bad.yml');
  const xml = fs.readFileSync(path.join(folder, 'out.xml'), 'utf8');
  assert.match(xml, /<testsuite name="t-bad.yml" tests="1" failures="1" errors="0"/);
  assert.match(xml, /<failure> {4}alertname: B, time: 6m/);
});
