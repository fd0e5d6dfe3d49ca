// All pages in Chinese: no text of the application itself is left in English, and none is cut off.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { TEXTS } from '../../web/texts.ts';
import { pagesOf, skip } from './browser.ts';

const { visit, call } = pagesOf({
  role: 'up',
  ready: '/api/v1/query?query=up',
  isReady: (answer) => answer.includes('"value"'),
});

const ADDRESSES = [
  ...[
    '/',
    '/dashboards',
    '/d/new',
    '/data-sources',
    '/query?g0.expr=up&g0.tab=graph',
    '/query?g0.expr=up&g0.tab=table',
  ],
  ...['/query?g0.expr=up&g0.tab=explain', '/query?g0.expr=nothing_like_it', '/metric-browser?metric=up', '/targets'],
  ...['/service-discovery', '/alertmanager-discovery', '/config', '/flags', '/status', '/tsdb-status', '/cardinality'],
  ...['/queries', '/shards', '/push-groups', '/alerts', '/rules', '/rule-versions', '/alert-history', '/alert-groups'],
  ...['/silences?new=alertname%3D%22X%22', '/route-tester?labels=alertname%3D%22X%22'],
];
const DASHBOARDS = fs
  .readdirSync(path.join(import.meta.dirname, '..', '..', 'deploy', 'dashboards'))
  .map((name) => `/d/${name.replace(/\.json$/, '')}`);

/** Names, abbreviations and units that are the same in both languages. */
const NAMES = new RegExp(
  `^(${[
    'Pharos|Prometheus|Alertmanager|Grafana|English|PromQL|JSON|YAML|TLS|SQL|HTTP|HTTPS|API|CPU|PNG|CSV|RSS|TCP|UDP|DNS|URL|UTC|WAL|GC',
    'MySQL|MariaDB|PostgreSQL|ClickHouse|Elasticsearch|Redis|Kafka|HAProxy|nginx|Nginx|Kubernetes|Istio|Linkerd|Mesos|ingress|Pod|JVM',
    'ServiceMonitor|InnoDB|Ingress|cAdvisor|kubelet|API Server|bcs|QPS|IOPS|ops|MiB|GiB|KiB|req|Go|Node|Node\\.js|WASM|TSDB|Apdex|TIME_WAIT',
    'Bytes?|Inode|inode|swap|Swap|Enter|Shift|Escape|Pushgateway|ZooKeeper|RTT|SLO|SLA|kB|MB|GB|Schema|V1|V2|Lucene|CIDR|IP|PVC|mTLS|Watchdog',
  ].join('|')})$`,
);

/** What the application itself says: no data, no code, no names that a user gave. */
async function englishOn(page: Page): Promise<string[]> {
  const texts = (await page.evaluate(`(() => {
    const data = 'style, script, textarea, .annotations, code, pre, .mono, .chip, .cm-editor, .plot, .legend, tbody, option, .value, .u-legend, canvas, svg, .panel-body, .labels, .brand, body [lang], .u-wrap, select, .data-text';
    const found = [];
    for (const element of document.querySelectorAll('body *')) {
      if (element.closest(data)) continue;
      for (const name of ['aria-label', 'title', 'placeholder', 'alt']) {
        const text = element.getAttribute(name);
        if (text) found.push(text);
      }
      for (const node of element.childNodes)
        if (node.nodeType === 3 && node.textContent.trim() !== '') found.push(node.textContent.trim());
    }
    return found;
  })()`)) as string[];
  // One word alone may be somebody's name for something, unless it is one that has a Chinese text.
  const isEnglish = (text: string) =>
    (text in TEXTS && TEXTS[text as keyof typeof TEXTS] !== text) ||
    (!/[\u4e00-\u9fff]|^(\/|https?:)/.test(text) &&
      (text.match(/[A-Za-z][A-Za-z.']{2,}/g) ?? []).filter((word) => !NAMES.test(word)).length > 1);
  return [...new Set(texts.filter(isEnglish))];
}

/** Texts that do not fit into what holds them and are not shortened on purpose. */
async function cutOn(page: Page): Promise<string[]> {
  return (await page.evaluate(`(() => [...document.querySelectorAll('button, h1, h2, h3, th, label, .state, .item')]
    .filter((one) => one.clientWidth > 0 && one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).overflowX === 'hidden'
      && getComputedStyle(one).textOverflow !== 'ellipsis')
    .map((one) => one.textContent.trim()))()`)) as string[];
}

test('no page has texts in English or texts that are cut', { skip }, async (t) => {
  await call('PUT', '/api/v1/rules/groups/own/g', {
    name: 'g',
    rules: [{ record: 'a:b', expr: 'up' }],
  });
  await call('PUT', '/api/v1/rules/groups/own/g', { name: 'g', rules: [{ record: 'a:b', expr: 'up > 0' }] });
  for (const address of [...ADDRESSES, ...DASHBOARDS])
    await t.test(address, async () => {
      const { page, faults, close } = await visit(address, { locale: 'zh-CN' });
      await page.waitForSelector('h1');
      await page.waitForLoadState('networkidle');
      assert.deepEqual(await englishOn(page), []);
      assert.deepEqual(await cutOn(page), []);
      assert.deepEqual(faults, []);
      await close();
    });
});
