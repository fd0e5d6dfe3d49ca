// Reading exposition text: a page of everything in each format, and every error in Prometheus' words.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatLabels } from '#model/labels.ts';
import { TextReader, withLastLinebreak } from './text.ts';

function read(format: 'text' | 'openmetrics', text: string | Buffer): string[] {
  const reader = new TextReader(format);
  const page = Buffer.from(text);
  reader.reset(format === 'text' ? withLastLinebreak(page) : page);
  const entries: string[] = [];
  for (;;) {
    const kind = reader.next();
    switch (kind) {
      case 'end':
        return entries;
      case 'type':
        entries.push(`type ${reader.familyName} ${reader.familyType}`);
        break;
      case 'help':
      case 'unit':
        entries.push(`${kind} ${reader.familyName} ${JSON.stringify(reader.familyText)}`);
        break;
      case 'comment':
        entries.push('comment');
        break;
      default: {
        const time = Number.isNaN(reader.timestamp) ? '' : ` @${reader.timestamp}`;
        const exemplars = reader.exemplars().map((e) => ` # ${formatLabels(e.labels)} ${e.value} @${e.timestamp}`);
        entries.push(`${formatLabels(reader.labels())} ${reader.value}${time}${exemplars.join('')}`);
      }
    }
  }
}

test('the text format', () => {
  assert.deepEqual(
    read(
      'text',
      [
        '# HELP go_gc A \\\\ summary\\nof it.',
        '# TYPE go_gc summary',
        'go_gc{quantile="0"} 4.9351e-05',
        'go_gc{quantile="1"} +Inf 1520879607789',
        '  go_gc_count\t{ } 99  ',
        '',
        '#comment',
        '# HELP',
        '#\tTYPE\tx\tuntyped',
        'x{a="b\\"\\\\\\n\\q",c="ü",} -0',
        '{"my.metric", "l.l"="v"} NaN',
        '{a="b","quoted\\"name"} 1e3',
        '# TYPE h histogram',
        'h_bucket{le="1"} 1',
        '# HELP "q.q" t',
        'no_newline 10',
      ].join('\n'),
    ),
    [
      'help go_gc "A \\\\ summary\\nof it."',
      'type go_gc summary',
      'go_gc{quantile="0.0"} 0.000049351',
      'go_gc{quantile="1.0"} Infinity @1520879607789',
      'go_gc_count 99',
      'comment',
      'comment',
      'type x unknown',
      'x{a="b\\"\\\\\\n\\\\q", c="ü"} 0',
      '{"my.metric", "l.l"="v"} NaN',
      '{"quoted\\"name", a="b"} 1000',
      'type h histogram',
      'h_bucket{le="1.0"} 1',
      'help q.q "t"',
      'no_newline 10',
    ],
  );
});

test('OpenMetrics', () => {
  assert.deepEqual(
    read(
      'openmetrics',
      [
        '# HELP a_seconds It "is".',
        '# TYPE a_seconds counter',
        '# UNIT a_seconds seconds',
        'a_seconds_total{x="1"} 17.0 1520879607.789 # {id="counter-test"} 5 1520879607.123',
        'a_seconds_total 1 # {} 0.5',
        'a_seconds_created 1520872607.123',
        '# TYPE s stateset',
        's{s="on",} 1',
        '# EOF',
      ].join('\n'),
    ),
    [
      'help a_seconds "It \\"is\\"."',
      'type a_seconds counter',
      'unit a_seconds "seconds"',
      'a_seconds_total{x="1"} 17 @1520879607789 # {id="counter-test"} 5 @1520879607123',
      'a_seconds_total 1 # {} 0.5 @NaN',
      'a_seconds_created 1520872607.123',
      'type s stateset',
      's{s="on"} 1',
    ],
  );
});

test('errors of the text format', () => {
  const fails = (text: string | Buffer, message: string) =>
    assert.throws(() => read('text', text), { message }, String(text));
  fails('a', 'expected value after metric, got "\\n" ("INVALID") while parsing: "a\\n"');
  fails("a{b='c'} 1\n", `expected label value, got "'" ("INVALID") while parsing: "a{b='"`);
  fails('a{b=\n', 'expected label value, got "\\n" ("INVALID") while parsing: "a{b=\\n"');
  fails(
    Buffer.from('a{\xff="foo"} 1\n', 'latin1'),
    'expected label name, got "\ufffd" ("INVALID") while parsing: "a{\ufffd"',
  );
  fails('a 1 1 1\n', 'expected next entry after timestamp, got "1\\n" ("TIMESTAMP") while parsing: "a 1 1 1\\n"');
  fails('a 1 z\n', 'expected timestamp or new record, got "z" ("INVALID") while parsing: "a 1 z"');
  fails('a b\n', 'strconv.ParseFloat: parsing "b": invalid syntax while parsing: "a b"');
  fails('a 1e999\n', 'strconv.ParseFloat: parsing "1e999": value out of range while parsing: "a 1e999"');
  fails('a 1_2\n', 'unsupported characters in float while parsing: "a 1_2"');
  fails('{a="b"} 1\n', 'metric name not set while parsing: "{a=\\"b\\"} 1"');
  fails('{"a","b"} 1\n', 'metric name already set while parsing: "{\\"a\\",\\"b\\"}"');
  fails('9a 1\n', 'expected a valid start token, got "9" ("INVALID") while parsing: "9"');
  fails('# TYPE a b\n', 'invalid metric type "b"');
  fails('# TYPE 9\n', 'expected metric name after TYPE, got "9" ("INVALID") while parsing: "# TYPE 9"');
  fails('a{b="c",b="d"} 1\n', 'label name "b" is not unique: invalid sample');
  fails(Buffer.from('a{b="\xff"} 1\n', 'latin1'), 'invalid UTF-8 label value: "\\"ÿ\\""');
});

test('errors of OpenMetrics', () => {
  const fails = (text: string, message: string) => assert.throws(() => read('openmetrics', text), { message }, text);
  fails('', 'data does not end with # EOF');
  fails('a 1\n', 'data does not end with # EOF');
  fails('a 1', 'data does not end with # EOF');
  fails('# EOF\na 1\n', 'unexpected data after # EOF');
  fails('\n# EOF\n', 'expected a valid start token, got "\\n" ("INVALID") while parsing: "\\n"');
  fails('a  1\n# EOF\n', 'expected value after metric, got " " ("INVALID") while parsing: "a "');
  fails('# UNIT a b\n# EOF\n', 'unit "b" not a suffix of metric "a"');
  fails('a 1 Inf\n# EOF\n', 'invalid timestamp +Inf');
  fails('a 1 # {"x"} 1\n# EOF\n', 'expected label name, got "} " ("BCLOSE") while parsing: "a 1 # {\\"x\\"} "');
  fails('# TYPE a untyped\n# EOF\n', 'invalid metric type "untyped"');
});
