import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeFlags, expandArguments, type FlagTable, flagTexts, parseFlags } from './flags.ts';

const table = {
  'web.listen-address': { kind: 'texts', default: ['0.0.0.0:9090'], help: 'Where to listen.' },
  'config.file': { kind: 'text', help: 'The file.' },
  'log.level': { kind: 'text', default: 'info', values: ['debug', 'info'], help: 'How much.' },
  'web.enable-lifecycle': { kind: 'boolean', help: 'Reload by HTTP.' },
  'auto-limit': { kind: 'boolean', default: true, help: 'Limit.' },
  'query.timeout': { kind: 'duration', default: 120_000, help: 'How long.' },
  'storage.size': { kind: 'size', help: 'How much.' },
  shards: { kind: 'integer', min: 1, help: 'How many.' },
} satisfies FlagTable;
const parse = (...args: string[]) => parseFlags(table, args);

test('values, defaults, both spellings, repetition, negation, operands', () => {
  const { flags, operands, given } = parse(
    '--config.file',
    'a.yml',
    '--web.listen-address=:1',
    '--web.listen-address',
    ':2',
    '--no-auto-limit',
    'x',
    '--query.timeout=1h30m',
    '--storage.size=2MB',
    '--shards=3',
    '--',
    '--y',
  );
  assert.deepEqual(flags, {
    'web.listen-address': [':1', ':2'],
    'config.file': 'a.yml',
    'log.level': 'info',
    'web.enable-lifecycle': false,
    'auto-limit': false,
    'query.timeout': 5_400_000,
    'storage.size': 2 * 1024 * 1024,
    shards: 3,
  });
  assert.deepEqual(operands, ['x', '--y']);
  assert.deepEqual([...given].sort(), [
    'auto-limit',
    'config.file',
    'query.timeout',
    'shards',
    'storage.size',
    'web.listen-address',
  ]);
  assert.deepEqual(parse().flags['web.listen-address'], ['0.0.0.0:9090']);
});

test('one letter stands for a flag that has one', () => {
  const short = {
    quiet: { kind: 'boolean', short: 'q', help: 'Less.' },
    comment: { kind: 'text', short: 'c', help: 'Why.' },
  } satisfies FlagTable;
  assert.deepEqual(parseFlags(short, ['-q', '-c', 'x']).flags, { quiet: true, comment: 'x' });
  assert.match(describeFlags(short, 80), /^ {2}-q, --\[no-\]quiet$/m);
});

test('mistakes are refused with what was expected', () => {
  const message = (...args: string[]) => {
    try {
      parse(...args);
    } catch (error) {
      return (error as Error).message;
    }
    return 'accepted';
  };
  assert.equal(message('--config.fil=x'), 'unknown flag --config.fil, did you mean --config.file?');
  assert.equal(message('--no-auto-limits'), 'unknown flag --no-auto-limits, did you mean --no-auto-limit?');
  assert.equal(message('--no-config.file'), 'unknown flag --no-config.file, did you mean --config.file?');
  assert.equal(message('--zzzzzzzz'), 'unknown flag --zzzzzzzz');
  assert.equal(message('--log.level=loud'), 'invalid value "loud" of flag --log.level: expected one of debug, info');
  assert.equal(
    message('--query.timeout=x'),
    'invalid value "x" of flag --query.timeout: expected a duration such as 30s, 5m or 15d',
  );
  assert.equal(message('--shards=0'), 'invalid value "0" of flag --shards: expected a whole number of 1 or more');
  assert.equal(message('--config.file'), 'expected a value after --config.file: text');
  assert.equal(message('--config.file=a', '--config.file=b'), "flag 'config.file' cannot be repeated");
  assert.equal(message('--no-auto-limit=1'), 'flag --no-auto-limit takes no value');
  assert.equal(
    message('--web.enable-lifecycle=maybe'),
    'invalid value "maybe" of flag --web.enable-lifecycle: expected true or false',
  );
});

test('help names every flag with its default', () => {
  const help = describeFlags(table, 80);
  assert.match(help, /--web\.listen-address=0\.0\.0\.0:9090 \.\.\.\n {8}Where to listen\./);
  assert.match(help, /--\[no-\]auto-limit\n/);
  assert.match(help, /--query\.timeout=2m\n/);
});

test('a flag given twice, arguments out of a file, values as texts', () => {
  assert.throws(
    () => parse('--config.file=a', '--config.file=b'),
    /^UserError: flag 'config\.file' cannot be repeated$/,
  );
  const file = (name: string) => (name === 'args' ? '--config.file=a b\n# not this\n--shards\n3\n' : assert.fail(name));
  assert.deepEqual(expandArguments(['-x', '@args', '--', '@args'], file), [
    '-x',
    '--config.file=a b',
    '--shards',
    '3',
    '--',
    '@args',
  ]);
  assert.deepEqual(flagTexts(table, parse('--query.timeout=90s', '--storage.size=1GB').flags), {
    'web.listen-address': '0.0.0.0:9090',
    'config.file': '',
    'log.level': 'info',
    'web.enable-lifecycle': 'false',
    'auto-limit': 'true',
    'query.timeout': '1m30s',
    'storage.size': '1GiB',
    shards: '',
  });
});
