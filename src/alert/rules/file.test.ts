import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { nodeDisk } from '#base/disk/node.ts';
import { peer } from '../../../test/peers.ts';
import { parseRuleFile, RuleFileError } from './file.ts';
import { glob } from './glob.ts';

function problems(text: string, options = {}): readonly string[] {
  try {
    parseRuleFile('r.yml', text, options);
    return [];
  } catch (error) {
    assert.ok(error instanceof RuleFileError);
    return error.problems;
  }
}

const BAD = `groups:
  - name: a
    rules:
      - record: x:y
        expr: sum(foo
      - alert: A
        expr: up == 0
        labels:
          sev: '{{ $labels.foo'
        annotations:
          x: '{{ $value | nofunc }}'
      - record: r
        alert: b
        expr: up
      - expr: up
      - record: name
        expr: up
        for: 5m
        annotations: {a: b}
      - alert: L
        expr: up
        labels: {"bad-name": x, __name__: y}
      - alert: M
  - name: a
    rules: []
  - rules: []
`;

test('every problem of a file is reported with its position', () => {
  assert.deepEqual(problems(BAD, { names: 'legacy' }), [
    'r.yml: 5:15: group "a", rule 1, "x:y": could not parse expression: 1:8: parse error: unclosed left parenthesis',
    'r.yml: 9:16: group "a", rule 2, "A": label "sev": template: __alert_A:1: unclosed action',
    'r.yml: 11:14: group "a", rule 2, "A": annotation "x": template: __alert_A:1: function "nofunc" not defined',
    `r.yml: 12:17: group "a", rule 3, "b": only one of 'record' and 'alert' must be set`,
    `r.yml: 15:9: group "a", rule 4, "": one of 'record' or 'alert' must be set`,
    `r.yml: 16:17: group "a", rule 5, "name": invalid field 'annotations' in recording rule`,
    `r.yml: 16:17: group "a", rule 5, "name": invalid field 'for' in recording rule`,
    'r.yml: group "a", rule 6, "L": invalid label name: bad-name',
    'r.yml: group "a", rule 6, "L": invalid label name: __name__',
    `r.yml: 23:9: group "a", rule 7, "M": field 'expr' must be set in rule`,
    'r.yml: 24:5: groupname: "a" is repeated in the same file',
    'r.yml: 26:5: Groupname must not be empty',
  ]);
});

const promtool = peer('promtool', 'prometheus');

test('promtool finds the same problems', { skip: promtool.skip }, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-rules-'));
  fs.writeFileSync(path.join(folder, 'r.yml'), BAD);
  const { stderr } = spawnSync(promtool.path, ['check', 'rules', 'r.yml'], { cwd: folder, encoding: 'utf8' });
  fs.rmSync(folder, { recursive: true });
  // Positions that promtool does not know are 0:0 or left out.
  const plain = (line: string) => line.replace(/^r\.yml: (\d+:\d+: )*/, '');
  const theirs = stderr.split('\n').filter((line) => line.startsWith('r.yml'));
  assert.deepEqual(problems(BAD, { names: 'legacy' }).map(plain).sort(), theirs.map(plain).sort());
});

test('YAML that does not fit is refused by line', () => {
  assert.match(problems('groups: [')[0]!, /^r\.yml: yaml: line 1: /);
  assert.deepEqual(problems('groups:\n- name: a\n  rules: 5\n'), [
    'r.yml: yaml: unmarshal errors:\n  line 3: cannot unmarshal !!int `5` into []rulefmt.Rule',
  ]);
  assert.deepEqual(problems('groups:\n- name: a\n  foo: b\n'), [
    'r.yml: yaml: unmarshal errors:\n  line 3: field foo not found in type rulefmt.RuleGroup',
  ]);
  assert.deepEqual(problems('groups:\n- name: a\n  foo: b\n', { ignoreUnknownFields: true }), []);
  assert.deepEqual(problems('groups:\n- name: a\n  interval: 5x\n'), [
    'r.yml: 3:13: not a valid duration string: "5x"',
  ]);
  assert.deepEqual(problems(''), []);
});

test('group labels go to every rule, its own win; numbers and booleans are text', () => {
  const { groups } = parseRuleFile(
    'r.yml',
    'groups: [{name: g, labels: {a: 1, b: x}, rules: [{record: r, expr: 1, labels: {b: true}}]}]',
  );
  assert.deepEqual(groups[0]!.rules[0]!.labels, ['a', '1', 'b', 'true']);
});

test('files are found by pattern', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-glob-'));
  for (const name of ['a.yml', 'b.yml', 'c.yaml', '[x].yml', 'sub/d.yml']) {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), '');
  }
  const found = (pattern: string) => glob(nodeDisk, path.join(folder, pattern)).map((f) => path.relative(folder, f));
  assert.deepEqual(found('*.yml'), ['[x].yml', 'a.yml', 'b.yml']);
  assert.deepEqual(found('?.y*ml'), ['a.yml', 'b.yml', 'c.yaml']);
  assert.deepEqual(found('[a-b].yml'), ['a.yml', 'b.yml']);
  assert.deepEqual(found('[^a].yml'), ['b.yml']);
  assert.deepEqual(found('\\[x\\].yml'), ['[x].yml']);
  assert.deepEqual(found('*/*.yml'), ['sub/d.yml']);
  assert.deepEqual(found('a.yml'), ['a.yml']);
  assert.deepEqual(found('none.yml'), []);
  fs.rmSync(folder, { recursive: true });
});
