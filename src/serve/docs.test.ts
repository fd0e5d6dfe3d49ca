import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { nodeDisk } from '#base/disk/node.ts';
import { docsRoutes, markdownToHtml } from './docs.ts';
import type { HttpRequest, HttpResponse } from './http.ts';

const DOCS = path.join(import.meta.dirname, '../../docs');

const page = async (name: string): Promise<HttpResponse> => {
  const [route] = docsRoutes({ folder: DOCS, disk: nodeDisk });
  return route!.handler({ params: { path: name } } as unknown as HttpRequest);
};

test('headings, code, tables, lists, emphasis and links; text is text', () => {
  const html = markdownToHtml(
    '# A <b>\n\none\ntwo **bold** `a **b** <c>` [x](y.md#z) [bad](javascript:alert(1))\n\n- a\n  more\n- b\n\n```promql\nup < 1\n```\n\n| h | i |\n|---|---|\n| 1 | `a\\|b` |\n\n## Host Down!\n\n    code\n',
  );
  assert.equal(
    html,
    [
      '<h1 id="a-b">A &lt;b&gt;</h1>',
      '<p>one two <strong>bold</strong> <code>a **b** &lt;c&gt;</code> <a href="y.md#z">x</a> [bad](javascript:alert(1))</p>',
      '<ul><li>a more</li><li>b</li></ul>',
      '<pre><code>up &lt; 1</code></pre>',
      '<table><tr><th>h</th><th>i</th></tr><tr><td>1</td><td><code>a|b</code></td></tr></table>',
      '<h2 id="host-down">Host Down!</h2>',
      '<pre><code>code</code></pre>',
    ].join('\n'),
  );
});

test('every section of every runbook can be linked to; nothing outside the folder is served', async () => {
  for (const file of fs.readdirSync(path.join(DOCS, 'runbooks'))) {
    const { status, body } = await page(`runbooks/${file}`);
    assert.equal(status, 200);
    for (const [, heading] of fs.readFileSync(path.join(DOCS, 'runbooks', file), 'utf8').matchAll(/^## (\w+)$/gm))
      assert.ok(String(body).includes(`<h2 id="${heading!.toLowerCase()}">`), heading);
  }
  assert.equal((await page('runbooks/hosts')).status, 200, 'without .md');
  for (const outside of ['../README', '../../etc/passwd', 'nothing', ''])
    assert.equal((await page(outside)).status, 404);
});
