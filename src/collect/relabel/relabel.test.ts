// Every action of relabeling, the ways templates name groups, what invalid names and empty results do, and the step list.

// biome-ignore-all lint/suspicious/noTemplateCurlyInString: relabeling's own syntax
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, loadYaml } from '#base/config/load.ts';
import { formatLabels, labelsOf } from '#model/labels.ts';
import { relabelConfigs } from './config.ts';
import { compileRules, relabelSteps } from './relabel.ts';

const rules = (yaml: string) => loadYaml(yaml, relabelConfigs, 'r.yml');

function relabel(labels: Record<string, string>, yaml: string): string | undefined {
  const result = compileRules(rules(yaml))(labelsOf(labels));
  return result && formatLabels(result);
}

test('replace', () => {
  const labels = { a: 'foo', b: 'bar', c: 'baz' };
  const is = (yaml: string, expected: string) => assert.equal(relabel(labels, yaml), expected, yaml);
  is(
    '[{source_labels: [a], regex: "f(.*)", target_label: d, replacement: "ch${1}-ch${1}"}]',
    '{a="foo", b="bar", c="baz", d="choo-choo"}',
  );
  is(
    '[{source_labels: [a, b], regex: "f(.*);(.*)r", target_label: a, replacement: "b${1}${2}m"}]',
    '{a="boobam", b="bar", c="baz"}',
  );
  is('[{source_labels: [a], regex: "nope", target_label: d}]', '{a="foo", b="bar", c="baz"}');
  is('[{source_labels: [a], regex: "o", target_label: d}]', '{a="foo", b="bar", c="baz"}');
  is('[{source_labels: [a, c], separator: "", target_label: d}]', '{a="foo", b="bar", c="baz", d="foobaz"}');
  is('[{source_labels: [none], target_label: a}]', '{b="bar", c="baz"}');
  is('[{target_label: a, replacement: ""}]', '{b="bar", c="baz"}');
  is('[{target_label: z, replacement: k}]', '{a="foo", b="bar", c="baz", z="k"}');
  is(
    '[{source_labels: [a], regex: "(?P<whole>f.*)", target_label: "${whole}_x", replacement: "$whole$$${0}"}]',
    '{a="foo", b="bar", c="baz", foo_x="foo$foo"}',
  );
  is('[{source_labels: [a], regex: "(f)oo", target_label: d, replacement: "$1x"}]', '{a="foo", b="bar", c="baz"}');
  is(
    '[{source_labels: [a], regex: "f(x)?oo", target_label: d, replacement: "[$1]"}]',
    '{a="foo", b="bar", c="baz", d="[]"}',
  );
  is('[{source_labels: [a], regex: "f.*", target_label: "${9}"}]', '{a="foo", b="bar", c="baz"}');
});

test('a dot matches line breaks and the whole value must match', () => {
  assert.equal(
    relabel({ a: 'x\ny' }, '[{source_labels: [a], regex: "x.y", target_label: b, replacement: hit}]'),
    '{a="x\\ny", b="hit"}',
  );
});

test('keep, drop and their equal forms', () => {
  const kept = (yaml: string) => relabel({ a: 'foo', b: 'foo', c: 'x' }, yaml) !== undefined;
  assert.ok(kept('[{source_labels: [a], regex: foo, action: keep}]'));
  assert.ok(!kept('[{source_labels: [a], regex: fo, action: keep}]'));
  assert.ok(!kept('[{source_labels: [a], regex: "f|foo", action: drop}]'));
  assert.ok(kept('[{source_labels: [none], regex: "", action: keep}]'));
  assert.ok(kept('[{source_labels: [a], target_label: b, action: keepequal}]'));
  assert.ok(!kept('[{source_labels: [a], target_label: c, action: keepequal}]'));
  assert.ok(!kept('[{source_labels: [a], target_label: b, action: DropEqual}]'));
});

test('hashmod, labelmap, labeldrop, labelkeep, lowercase, uppercase', () => {
  assert.equal(
    relabel({ c: 'baz' }, '[{source_labels: [c], target_label: d, action: hashmod, modulus: 1000}]'),
    '{c="baz", d="976"}',
  );
  assert.equal(
    relabel({ a: '1', __meta_x: '2', __meta_y: '3' }, '[{regex: "__meta_(.+)", action: labelmap}]'),
    '{__meta_x="2", __meta_y="3", a="1", x="2", y="3"}',
  );
  assert.equal(relabel({ a: '1', ab: '2', b: '3' }, '[{regex: "a.*", action: labeldrop}]'), '{b="3"}');
  assert.equal(relabel({ a: '1', ab: '2', b: '3' }, '[{regex: "a.*", action: labelkeep}]'), '{a="1", ab="2"}');
  assert.equal(relabel({ a: 'ÀbC' }, '[{source_labels: [a], target_label: a, action: lowercase}]'), '{a="àbc"}');
  assert.equal(relabel({ a: 'àbC' }, '[{source_labels: [a], target_label: a, action: uppercase}]'), '{a="ÀBC"}');
});

test('steps show what each rule made', () => {
  const steps = relabelSteps(
    rules(
      '[{target_label: x, replacement: "1"}, {source_labels: [x], regex: "1", action: drop}, {target_label: y, replacement: "2"}]',
    ),
    labelsOf({ a: 'b' }),
  );
  assert.deepEqual(
    steps.map(({ output, keep }) => [formatLabels(output), keep]),
    [
      ['{a="b", x="1"}', true],
      ['{}', false],
      ['{}', false],
    ],
  );
});

test('wrong rules are refused with the reason', () => {
  const wrong = (yaml: string, reason: RegExp) =>
    assert.throws(
      () => rules(yaml),
      (error) => error instanceof ConfigError && reason.test(error.message),
      yaml,
    );
  wrong(
    '[{action: hashmod, target_label: a, source_labels: [b]}]',
    /r\.yml:1:\d+: \[0\]\.modulus: relabel configuration for hashmod requires non-zero modulus/,
  );
  wrong('[{source_labels: [a]}]', /relabel configuration for replace action requires 'target_label' value/);
  wrong(
    '[{action: labeldrop, regex: a, target_label: b}]',
    /labeldrop action requires only 'regex', and no other fields/,
  );
  wrong(
    '[{action: keepequal, target_label: a, regex: x}]',
    /keepequal action requires only 'source_labels' and `target_label`/,
  );
  wrong('[{action: lowercase, target_label: a, replacement: x}]', /'replacement' can not be set for lowercase action/);
  wrong('[{action: remove}]', /unknown relabel action "remove"/);
  wrong('[{action: keep, regex: "("}]', /error parsing regexp: missing closing \)/);
});
