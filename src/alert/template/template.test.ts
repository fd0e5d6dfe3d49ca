import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { SimClock } from '#base/clock-sim.ts';
import { errorText } from '#base/errors.ts';
import { seeded } from '#base/random.ts';
import { peer } from '../../../test/peers.ts';
import { alertmanagerFunctions, type Notification, notificationData } from './alertmanager.ts';
import { HTML_CASES, TEXT_CASES } from './cases.suite.ts';
import { TemplateError } from './parse.ts';
import { parseTemplates } from './template.ts';

const STARTS = Date.UTC(2024, 0, 2, 3, 4, 5, 678);
const alert = {
  status: 'firing' as const,
  labels: ['alertname', 'Disk', 'x', '<b>'],
  annotations: ['description', 'full'],
  startsAt: STARTS,
  endsAt: 0,
  generatorUrl: 'http://g/',
  fingerprint: '2a',
  changed: true,
  acknowledgement: undefined,
};
const notification: Notification = {
  receiver: 'team',
  status: 'firing',
  reason: '',
  alerts: [alert, { ...alert, status: 'resolved', endsAt: STARTS + 1000, changed: false }],
  groupLabels: ['alertname', 'Disk'],
  commonLabels: ['alertname', 'Disk', 'job', 'a'],
  commonAnnotations: [],
  routeLabels: [],
  externalUrl: 'http://am:9093',
};
const data = notificationData(notification);
const set = parseTemplates([], { functions: alertmanagerFunctions(new SimClock(STARTS)), missingKey: 'zero' });

const amtool = peer('amtool', 'prometheus-alertmanager');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-template-'));
const empty = path.join(folder, 'empty.tmpl');
const dataFile = path.join(folder, 'data.json');

before(() => {
  fs.writeFileSync(empty, '');
  const { parse, stringify } = JSON;
  const plain = parse(stringify(data.toJSON(), (_, value) => value)) as Record<string, unknown>;
  // Debian's Alertmanager is older than these two.
  delete plain['notification_reason'];
  delete plain['routeLabels'];
  fs.writeFileSync(dataFile, stringify(plain));
});
after(() => fs.rmSync(folder, { recursive: true }));

function ours(text: string, html: boolean): string {
  try {
    return set.expand(text, data, { html }).trimEnd();
  } catch (error) {
    return `error: ${errorText(error)}`;
  }
}

function theirs(text: string, html: boolean): string {
  const args = [`--template.glob=${empty}`, `--template.data=${dataFile}`, `--template.type=${html ? 'html' : 'text'}`];
  try {
    const out = execFileSync(amtool.path, ['template', 'render', ...args, `--template.text=${text}`], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return out.trimEnd();
  } catch (error) {
    const { stderr } = error as { stderr: string };
    // The command passes the data by value, the program by pointer.
    return stderr
      .trimEnd()
      .replace(/^amtool: error: /, 'error: ')
      .replace('type template.Data', 'type *template.Data');
  }
}

for (const [what, cases, html] of [
  ['text', TEXT_CASES, false],
  ['HTML', HTML_CASES, true],
] as const) {
  test(`templates expand as in Go, as ${what}`, { skip: amtool.skip }, () => {
    const differences = cases
      .map((text) => ({ text, ours: ours(text, html), theirs: theirs(text, html) }))
      .filter((c) => c.ours !== c.theirs);
    assert.deepEqual(differences, []);
  });
}

// Where Debian's programs are older than what we follow.
for (const [text, expected, html] of [
  ['{{ .CommonLabels }}|{{ .CommonLabels.SortedPairs }}', 'alertname=Disk, job=a|alertname=Disk, job=a', false],
  ['{{ .CommonLabels.Values.Join ":" }} {{ .GroupLabels.Names.Join "," }}', 'Disk:a alertname', false],
  ['{{ range 3 }}{{ . }}{{ end }}{{ range $i := 2 }}{{ $i }}{{ end }}', '01201', false],
  ['{{ with "" }}a{{ else with "b" }}{{ . }}{{ else }}c{{ end }}', 'b', false],
  ['{{ $d := dict "a" 1 "b" (list 1 "x") }}{{ $d.a }} {{ index $d.b 1 }} {{ len (append $d.b 3) }}', '1 x 3', false],
  ['{{ (index .Alerts 0).StartsAt | tz "Europe/Paris" | date "15:04 MST -07" }}', '04:04 CET +01', false],
  [
    '{{ (index .Alerts 0).StartsAt | tz "Asia/Shanghai" | date "2006-01-02 15:04 MST" }}',
    '2024-01-02 11:04 CST',
    false,
  ],
  [
    '{{ since (index .Alerts 0).StartsAt }} {{ humanizeDuration 3661 }} {{ now.Unix }}',
    '0s 1h 1m 1s 1704164645',
    false,
  ],
  ['{{ toDate "2006-01-02" "2024-05-06" }} {{ (toDate "x" "y").IsZero }}', '2024-05-06 00:00:00 +0000 UTC true', false],
  ['{{ .CommonLabels | toJson }} {{ toJson "<a>" }}', '{"alertname":"Disk","job":"a"} "\\u003ca\\u003e"', false],
  [
    '{{ base64encode "a?>é" }} {{ base64encode "ab" | base64decode }} {{ urlUnescape "a%20b+c" }} {{ trimSpace " x " }}',
    'YT8-w6k= ab a b c x',
    false,
  ],
  ['{{ safeUrl "javascript:x" }}', 'javascript:x', false],
  ['<a href="{{ safeUrl "javascript:x" }}">', '<a href="javascript:x">', true],
  ['<p title={{ "" }}>', '<p title=ZgotmplZ>', true],
  [`<script>x = \`a\${ {{ "b" }} } {{ "\`$" }}\`</script>`, `<script>x = \`a\${ "b" } \\u0060\\u0024\`</script>`, true],
  ['<script>x = 1 <!-- {{ 1 }}\ny = 2</script>', '<script>x = 1 \ny = 2</script>', true],
] as const) {
  test(`${html ? 'HTML' : 'text'}: ${text}`, () => assert.equal(ours(text, html), expected));
}

test('a template of a set calls the others, and later texts replace earlier ones', () => {
  const first = set.with('a.tmpl', '{{ define "greet" }}hello {{ . }}{{ end }}');
  assert.equal(first.expand('{{ template "greet" .Status }}', data), 'hello firing');
  const second = first.with('b.tmpl', '{{ define "greet" }}bye {{ . }}{{ end }}');
  assert.equal(second.expand('{{ template "greet" .Status }}', data), 'bye firing');
  assert.equal(first.expand('{{ template "greet" .Status }}', data), 'hello firing');
});

test('endless recursion is an error of the template', () => {
  const text = '{{ define "r" }}x{{ template "r" . }}{{ end }}{{ template "r" . }}';
  assert.match(ours(text, false), /exceeded maximum template depth/);
  assert.match(ours(text, true), /exceeded maximum template depth/);
});

test('a loop that never ends is an error of the template', () => {
  assert.match(ours('{{ range 9000000000 }}{{ end }}', false), /exceeded the limit of 5000000 rounds of loops/);
});

test('mutilated templates give errors of templates and nothing else', () => {
  const seed = Number(process.env['PHAROS_SEED'] ?? Math.floor(systemClock.now()) % 1_000_000);
  const random = seeded(seed);
  const all = [...TEXT_CASES, ...HTML_CASES];
  for (let i = 0; i < 3000; i++) {
    const [a, b] = [all[random.below(all.length)]!, all[random.below(all.length)]!];
    const cut = random.below(a.length);
    const text = a.slice(0, cut) + b.slice(random.below(b.length)) + (random.below(2) ? '}}' : '{{end}}');
    for (const html of [false, true]) {
      try {
        set.expand(text, data, { html });
      } catch (error) {
        assert.ok(error instanceof TemplateError, `seed ${seed}: ${JSON.stringify(text)}: ${(error as Error).stack}`);
      }
    }
  }
});
