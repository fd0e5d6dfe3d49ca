import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { labelsOf } from '#model/labels.ts';
import { peer } from '../../../test/peers.ts';
import { ALERT_PREAMBLE, alertData, RuleTemplate, type TemplateSample } from './prometheus.ts';

const SAMPLES: readonly TemplateSample[] = [
  { labels: labelsOf({ __name__: 'm', host: 'b.example.org:9100' }), value: 2 },
  { labels: labelsOf({ __name__: 'm', host: 'a' }), value: 1234567.891 },
];
/** Prometheus promises no order for `m` alone: what takes the first or the second sample sorts them. */
const SERIES: Readonly<Record<string, readonly TemplateSample[]>> = { m: SAMPLES, 'sort(m)': SAMPLES };
const ask = async (expression: string): Promise<readonly TemplateSample[]> => {
  const found = SERIES[expression];
  if (!found) throw new Error(`unknown query ${expression}`);
  return found;
};

const LABELS = labelsOf({ __name__: 'm', host: 'b.example.org:9100' });
const expand = async (text: string) => {
  const options = { query: ask, nowMs: 60_000, externalUrl: 'http://p:9090/prom' };
  try {
    const data = alertData(LABELS, labelsOf({ dc: 'x' }), '', 2);
    return await new RuleTemplate('__alert_T', ALERT_PREAMBLE + text).expand(data, options);
  } catch (error) {
    return `<error expanding template: ${(error as Error).message}>`;
  }
};

const CASES = [
  '{{ $labels.host }} {{ $value }} {{ .Value }} {{ $externalLabels.dc }} {{ $labels.none }}|{{ $externalURL }}|',
  ...[
    '0 1 1.5 999 1000 1234567 -1234567 1e15 0.5 0.001 0.0000012345 1e-25 +Inf -Inf NaN',
    '59 60 61.5 3600 86399 86400 90061 -90061 0.1',
  ].flatMap((numbers) =>
    ['humanize', 'humanize1024', 'humanizeDuration', 'humanizePercentage', 'humanizeTimestamp'].map((fn) =>
      numbers
        .split(' ')
        .map((n) => `{{ ${fn} "${n}" }}`)
        .join(' '),
    ),
  ),
  '{{ humanize 5 }} {{ humanize 5.5 }} {{ humanizeDuration 5 }} {{ humanizePercentage 0.12345 }}',
  '{{ humanize "x" }}',
  '{{ humanize true }}',
  '{{ 1435065584.128 | humanizeTimestamp }} {{ humanizeTimestamp "1e300" }}',
  '{{ toTime 1435065584.128 }} {{ (toTime "0").Year }} {{ (1435065584.128 | toTime).Format "2006-01-02" }}',
  '{{ title "aa bb CC d-e f_g" }} {{ toUpper "aa" }} {{ toLower "AA" }}',
  '{{ stripPort "a:9" }} {{ stripPort "a" }} {{ stripPort "[::1]:9" }} {{ stripPort "::1" }} {{ stripPort "a:b:c" }}',
  '{{ stripDomain "a.b.c:9" }} {{ stripDomain "a.b" }} {{ stripDomain "1.2.3.4:5" }} {{ stripDomain "[::1]:9" }} {{ stripDomain "::1" }} {{ stripDomain "a" }} {{ stripDomain "a.b:" }}',
  '{{ match "a.*b" "xaxb" }} {{ reReplaceAll "a(.)" "<$1>" "abac" }} {{ match "[" "" }}',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the syntax of Go
  '{{ reReplaceAll "(?P<first>a)" "$first-${first}x" "a" }}',
  '{{ graphLink "up{a=\\"b\\"}" }} {{ tableLink "sum(x) / 2 %" }}',
  '{{ parseDuration "1h30m" }} {{ parseDuration "1d" }} {{ parseDuration "" }}',
  '{{ parseDuration "x" }}',
  '{{ with args 1 "a" }}{{ .arg0 }}{{ .arg1 }}{{ .arg2 }}{{ end }}',
  '{{ safeHtml "<b>" }} {{ "<b>" }}',
  '{{ query "sort(m)" | first | value }} {{ query "sort(m)" | first | label "host" }} {{ len (query "m") }}',
  '{{ range query "m" | sortByLabel "host" }}{{ .Labels.host }}={{ .Value }};{{ end }}',
  '{{ with query "sort(m)" }}{{ . | first | value | humanize }}{{ end }}',
  '{{ (index (query "sort(m)") 1).Value | humanize1024 }} {{ strvalue (first (query "sort(m)")) }}|',
  '{{ label "host" "x" }}',
  '{{ query 5 }}',
  '{{ first .Labels }}',
  '{{ $labels }}',
  '{{ .Nope }}',
  '{{ $value | printf "%.1f" }} {{ printf "%s is %v (%q)" $labels.host $value "x" }}',
  '{{ if gt $value 1.5 }}big{{ end }} {{ if eq $labels.host "b.example.org:9100" }}same{{ end }}',
  '{{ if gt $value 1 }}big{{ end }}',
  '{{ externalURL }} {{ pathPrefix }}',
  '{{ now }}',
];

const promtool = peer('promtool', 'prometheus');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-expand-'));
after(() => fs.rmSync(folder, { recursive: true }));

/** What only newer versions than Debian's say, or what its promtool cannot do. */
const NEWER = /externalURL|\.Nope|now|\[::1\]:9|humanizePercentage "[+-]?Inf|\{\{ parseDuration ""|first\}x/;

test('templates of rules expand as in Prometheus', { skip: promtool.skip }, async () => {
  const cases = CASES.filter((text) => !NEWER.test(text));
  const quoted = (text: string) => JSON.stringify(text);
  const annotations = cases.map((text, i) => `      c${i}: ${quoted(text)}`).join('\n');
  fs.writeFileSync(
    path.join(folder, 'r.yml'),
    `groups:\n- name: g\n  rules:\n  - alert: T\n    expr: m == 2\n    annotations:\n${annotations}\n`,
  );
  const series = SAMPLES.map(({ labels, value }) => `  - {series: 'm{host="${labels[3]}"}', values: '${value}x5'}`);
  fs.writeFileSync(
    path.join(folder, 't.yml'),
    `rule_files: [r.yml]\ntests:\n- interval: 1m\n  external_labels: {dc: x}\n  input_series:\n${series.join('\n')}\n  alert_rule_test:\n  - {eval_time: 1m, alertname: T}\n`,
  );
  const { stderr } = spawnSync(promtool.path, ['test', 'rules', 't.yml'], { cwd: folder, encoding: 'utf8' });
  const got = stderr.slice(stderr.indexOf('got:'));
  const theirs = new Map<string, string>();
  for (const [, name, text] of got.matchAll(/(c\d+)=("(?:[^"\\]|\\.)*")/g)) {
    theirs.set(name!, JSON.parse(text!.replace(/\\x([0-9a-f]{2})/g, '\\u00$1')) as string);
  }
  assert.equal(theirs.size, cases.length, stderr.slice(0, 2000));
  const differences: unknown[] = [];
  for (const [i, text] of cases.entries()) {
    const ours = await expand(text);
    if (ours !== theirs.get(`c${i}`)) differences.push({ text, ours, theirs: theirs.get(`c${i}`) });
  }
  assert.deepEqual(differences, []);
});

test('what is newer than Debian', async () => {
  assert.equal(await expand('{{ externalURL }} {{ pathPrefix }}'), 'http://p:9090/prom /prom');
  assert.equal(await expand('{{ toDuration 90 }} {{ (toDuration "1.5").Seconds }}'), '1m30s 1.5');
  assert.equal(await expand('{{ urlQueryEscape "a b&c" }} {{ parseDuration "-1h" }}'), 'a+b%26c -3600');
  assert.equal(await expand('{{ stripPort "[::1]:9" }} {{ stripDomain "[::1]:9" }}'), '::1 [::1]:9');
});

test('a page calls templates of files and asks queries', async () => {
  const page = await new RuleTemplate(
    'page.html',
    '{{ template "head" . }}{{ range query "m" }}<li title="{{ .Labels.host }}">{{ .Value }}</li>{{ end }}{{ tmpl "foot" "<x>" }}',
    {
      files: [
        { name: 'lib', text: '{{ define "head" }}<h1>{{ . }}</h1>{{ end }}{{ define "foot" }}<i>{{ . }}</i>{{ end }}' },
      ],
    },
  ).expand(undefined, { query: ask, nowMs: 0, externalUrl: '' });
  assert.equal(
    page,
    '<h1></h1><li title="b.example.org:9100">2</li><li title="a">1.234567891e&#43;06</li><i>&lt;x&gt;</i>',
  );
});
