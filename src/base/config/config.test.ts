import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, displayYaml, expandEnvironment, loadYaml } from './load.ts';
import {
  boolean,
  duration,
  integer,
  lazy,
  list,
  map,
  object,
  oneOf,
  optional,
  record,
  type Schema,
  secret,
  size,
  string,
  withDefault,
} from './schema.ts';

type Tree = { readonly name: string; readonly children: readonly Tree[] };
const tree: Schema<Tree> = object({ name: string(), children: list(lazy(() => tree)) });
const schema = object(
  {
    global: object({
      interval: withDefault(duration(), 60_000),
      limit: optional(size()),
      labels: record(string()),
      scheme: withDefault(oneOf('http', 'https'), 'http'),
      on: withDefault(boolean(), true),
    }),
    jobs: list(
      object({
        name: string(),
        port: optional(integer(0)),
        even: optional(
          map(integer(), (n) => {
            if (n % 2) throw new Error(`${n} is odd`);
            return n / 2;
          }),
        ),
      }),
    ),
    tree: optional(tree),
  },
  (value, report) => {
    if (value.jobs.length > 2) report('jobs', 'at most 2 jobs');
  },
);

function problems(text: string): string[] {
  try {
    loadYaml(text, schema, 'a.yml');
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message.split('\n');
  }
  return [];
}

test('reads values with their defaults', () => {
  const value = loadYaml('global: {limit: 1KB, labels: {a: 1, b: yes, c: 0.10}}\njobs:\n', schema, 'a.yml');
  assert.deepEqual(value, {
    global: { interval: 60_000, limit: 1024, labels: { a: '1', b: 'yes', c: '0.10' }, scheme: 'http', on: true },
    jobs: [],
    tree: undefined,
  });
});

test('every problem has file, line, column, field and what was expected', () => {
  assert.deepEqual(problems('global:\n  interval: soon\n  intervall: 1m\n  scheme: ftp\njobs:\n  - nam: x\n'), [
    'a.yml:2:13: global.interval: expected a duration such as 30s or 1h30m, got "soon"',
    'a.yml:3:3: global: field intervall is not known in global, did you mean interval?',
    'a.yml:4:11: global.scheme: expected one of http, https, got "ftp"',
    'a.yml:6:5: jobs[0]: field nam is not known in jobs[0], did you mean name?',
    'a.yml:6:5: jobs[0].name: field name is required: expected text',
  ]);
});

test('broken YAML, wrong shapes, converted values and whole-object checks', () => {
  assert.match(problems('global: {a: ')[0]!, /^a\.yml:1:\d+: cannot read YAML: /);
  assert.deepEqual(problems('global: []\njobs: 3'), [
    'a.yml:1:9: global: expected a mapping, got a list',
    'a.yml:2:7: jobs: expected a list, got "3"',
  ]);
  assert.deepEqual(problems('global: {}\njobs: [{name: a, even: 3}]'), ['a.yml:2:24: jobs[0].even: 3 is odd']);
  assert.deepEqual(problems('global: {}\njobs: [{name: a}, {name: b}, {name: c}]'), [
    'a.yml:2:7: jobs: at most 2 jobs',
  ]);
  assert.deepEqual(problems('global: {}\nglobal: {}').length, 1, 'a key twice');
});

test('aliases, merges and recursion', () => {
  const value = loadYaml('global: {}\ntree: {name: a, children: [&x {name: b, children: []}, *x]}', schema, 'a.yml');
  assert.deepEqual(
    value.tree?.children.map((c) => c.name),
    ['b', 'b'],
  );
});

test('environment expansion', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax that is expanded
  assert.equal(expandEnvironment('$A-${B}-$$A-${none}', { A: '1', B: '2' }), '1-2-$A-');
});

test('secrets are hidden where a configuration is displayed', () => {
  const auth = object({ user: string(), password: secret(), more: list(secret()) });
  const text = '# kept\nuser: bob\npassword: "s3cr3t" # why\nmore: [a, b]\n';
  assert.equal(
    displayYaml(text, auth, 'a.yml'),
    '# kept\nuser: bob\npassword: <secret> # why\nmore: [<secret>, <secret>]\n',
  );
  assert.equal(loadYaml(text, auth, 'a.yml').password, 's3cr3t');
});
