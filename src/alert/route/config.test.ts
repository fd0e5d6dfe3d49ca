import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labelsOf } from '#model/labels.ts';
import { parseAlertmanagerConfig } from './config.ts';
import { buildTree, groupLabels, matchRoutes } from './tree.ts';

const load = (text: string) => parseAlertmanagerConfig(text, 'am.yml', (file) => `/etc/am/${file}`);
const mistakes = (text: string) => {
  try {
    load(text);
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
};

/** The older spelling of everything, as it is found in many clusters. */
const LEGACY = `
global:
  resolve_timeout: 5m
templates:
- '/etc/alertmanager/template/*.tmpl'
route:
  group_by: ['alertname', 'cluster', 'service']
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 1h
  receiver: 'null'
  routes:
  - match:
      namespace: clickhouse
    receiver: 'di'
  - match:
      namespace: infra
    receiver: 'pengluan'
inhibit_rules:
- source_match:
    severity: 'critical'
  target_match:
    severity: 'warning'
  # Apply inhibition if the alertname is the same.
  equal: ['alertname', 'cluster', 'service']
receivers:
- name: 'di'
  webhook_configs:
  - send_resolved: true
    url: 'http://cloud-pushgateway-service.monitoring/alertmanager/webhook?sender_type=rtx_group&sender=your_key'
- name: 'pengluan'
  webhook_configs:
  - send_resolved: true
    url: 'http://cloud-pushgateway-service.monitoring/alertmanager/webhook?sender_type=wechat&username=pengluan'
- name: 'null'
`;

test('the older spelling is read', () => {
  const config = load(LEGACY);
  assert.deepEqual(
    config.receivers.map((r) => [r.name, r.build.length]),
    [
      ['di', 1],
      ['pengluan', 1],
      ['null', 0],
    ],
  );
  assert.deepEqual(config.inhibitRules[0]?.source, [{ type: '=', name: 'severity', value: 'critical' }]);
  assert.doesNotMatch(config.shown, /your_key/);
  const tree = buildTree(config.route);
  const receiver = (labels: Record<string, string>) =>
    matchRoutes(tree, labelsOf(labels))
      .map((r) => r.settings.receiver)
      .join();
  assert.equal(receiver({ namespace: 'clickhouse' }), 'di');
  assert.equal(receiver({ namespace: 'other' }), 'null');
  assert.equal(tree.routes[0]?.settings.repeatIntervalMs, 3_600_000, 'inherited');
  assert.equal(tree.routes[0]?.key, '{}/{namespace="clickhouse"}');
  assert.deepEqual(groupLabels(tree, labelsOf({ alertname: 'a', x: 'y' })), ['alertname', 'a']);
});

test('continue, nesting, wildcard groups', () => {
  const tree = buildTree(
    load(`
route:
  receiver: root
  routes:
  - matchers: ['team="a"']
    receiver: a
    continue: true
    group_by: ['...']
    routes: [{ matchers: [severity=~"page|crit"], receiver: a-page }]
  - matchers: ['team=~".+"', 'silent!="yes"']
    receiver: all
receivers: [{name: root}, {name: a}, {name: a-page}, {name: all}]
`).route,
  );
  const to = (labels: Record<string, string>) =>
    matchRoutes(tree, labelsOf(labels))
      .map((r) => r.settings.receiver)
      .join();
  assert.equal(to({ team: 'a' }), 'a,all');
  assert.equal(to({ team: 'a', severity: 'page' }), 'a-page,all');
  assert.equal(to({ team: 'a', silent: 'yes' }), 'a');
  assert.equal(to({}), 'root');
  assert.deepEqual(groupLabels(matchRoutes(tree, labelsOf({ team: 'a' }))[0]!, ['team', 'a', 'x', 'y']), [
    'team',
    'a',
    'x',
    'y',
  ]);
});

test('mistakes have their position and upstream meaning', () => {
  const minimal = 'route: {receiver: r}\nreceivers: [{name: r}]\n';
  assert.equal(mistakes(minimal), 'accepted');
  const wrong: [string, RegExp][] = [
    ['receivers: []', /route: field route is required/],
    ['route: {}\nreceivers: []', /am\.yml:1:8: route: root route must specify a default receiver/],
    ['route: {receiver: x}\nreceivers: [{name: r}]', /undefined receiver "x" used in route/],
    ['route: {receiver: r, matchers: [a=b]}\nreceivers: [{name: r}]', /root route must not have any matchers/],
    [
      'route: {receiver: r, group_interval: 0s}\nreceivers: [{name: r}]',
      /am\.yml:1:38: route\.group_interval: group_interval cannot be zero/,
    ],
    ['route: {receiver: r, group_by: [a, a]}\nreceivers: [{name: r}]', /duplicated label "a" in group_by/],
    ['route: {receiver: r}\nreceivers: [{name: r}, {name: r}]', /notification config name "r" is not unique/],
    [
      'route: {receiver: r}\nreceivers: [{name: r, webhook_configs: [{}]}]',
      /am\.yml:2:41: receivers\[0\]\.webhook_configs\[0\]: one of url or url_file must be configured/,
    ],
    [
      'route: {receiver: r}\nreceivers: [{name: r, webhok_configs: []}]',
      /field webhok_configs is not known in receivers\[0\], did you mean webhook_configs\?/,
    ],
    [
      'route: {receiver: r, routes: [{matchers: ["a=~("]}]}\nreceivers: [{name: r}]',
      /am\.yml:1:42: route\.routes\[0\]\.matchers: error parsing regexp/,
    ],
    [
      'route: {receiver: r, routes: [{mute_time_intervals: [x]}]}\nreceivers: [{name: r}]',
      /undefined time interval "x" used in route/,
    ],
    [
      `global: {slack_api_url: 'http://a', slack_api_url_file: b}\n${minimal}`,
      /at most one of slack_api_url & slack_api_url_file/,
    ],
    [`global: {opsgenie_api_url: 'ftp://a'}\n${minimal}`, /unsupported scheme "ftp" for URL/],
  ];
  for (const [text, pattern] of wrong) assert.match(mistakes(text), pattern);
});

test('what upstream refuses is refused with its meaning, what it takes is taken', () => {
  const receiver = (entry: string) => `route: {receiver: r}\nreceivers: [{name: r, ${entry}}]`;
  const route = (entry: string) => `route: {receiver: r, ${entry}}\nreceivers: [{name: r}]`;
  const cases: readonly (readonly [string, RegExp])[] = [
    [receiver('labels: {name: other}'), /receiver label "name" must match receiver name "r", got "other"/],
    [receiver('webhook_configs: [{url: "not-a-url-{{ .GroupLabels.alertname }}"}]'), /^accepted$/],
    [receiver('webhook_configs: [{url: "http://a/{{ .GroupLabels"}]'), /invalid template syntax/],
    [receiver('webhook_configs: [{url: ftp://a/}]'), /unsupported scheme/],
    [receiver('webhook_configs: [{url: <secret>}]'), /^accepted$/],
    [receiver('webhook_configs: [~]'), /empty or null section in webhook_configs/],
    [receiver('webhook_configs: [{url: "http://a/", http_config: {proxy_url: proxy}}]'), /^accepted$/],
    [receiver('email_configs: [{to: a@b}]'), /no global SMTP smarthost set/],
    [`global: {smtp_smarthost: ""}\n${route('')}`, /^accepted$/],
    [`global: {smtp_smarthost: "host:"}\n${route('')}`, /missing port in address/],
    [route('group_by: [""]'), /invalid label name "" in group_by list/],
    [route('labels: {"": x}'), /invalid label name "" in route labels/],
    [route('group_by: ["-x-"]'), /^accepted$/],
    [route('routes: [{match: {"a-b": c}}]'), /invalid label name "a-b"/],
    [route('routes: [{match_re: {a: }}]'), /invalid regexp value for "a"/],
    [`${route('')}\ninhibit_rules: [{source_match_re: {a: }}]`, /invalid regexp value for "a"/],
    [`${route('')}\ninhibit_rules: [{target_match_re: {a: "("}}]`, /error parsing regexp/],
  ];
  for (const [text, expected] of cases) assert.match(mistakes(text), expected, text);
  const classic = (text: string) => () => parseAlertmanagerConfig(text, 'am.yml', (file) => file, 'classic');
  assert.throws(classic(route('group_by: ["-x-"]')), /invalid label name "-x-" in group_by list/);
  const strict = () => parseAlertmanagerConfig(route("routes: [{matchers: ['a=']}]"), 'a', (f) => f, 'utf8-strict');
  assert.throws(strict, /expected label value/);
  assert.deepEqual(load(receiver('labels: {team: x}')).receivers[0]!.labels, { team: 'x', name: 'r' });
});
