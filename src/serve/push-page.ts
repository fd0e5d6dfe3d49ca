// The push gateway's page for people: its groups, what is in them, when they were pushed to, and a button that deletes one.

import type { Group, PushState } from '#collect/push/state.ts';
import { formatLabels, labelsOf } from '#model/labels.ts';

const inHtml = (text: string): string => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
const when = (ms: number): string => (ms === 0 ? 'never' : new Date(ms).toISOString());
const encode = (text: string): string => Buffer.from(text).toString('base64url') || '=';

/** The path that pushes to a group and deletes it; base64, so that any value fits. */
function groupPath({ labels }: Group): string {
  const { job = '', ...rest } = labels;
  const parts = Object.entries(rest).map(([name, value]) => `/${encodeURIComponent(name)}@base64/${encode(value)}`);
  return `metrics/job@base64/${encode(job)}${parts.join('')}`;
}

function groupHtml(group: Group): string {
  const families = Object.values(group.families);
  const options = Object.entries(group.options).filter(
    ([, value]) => value !== undefined && value !== 0 && value !== 'keep',
  );
  const rows = families
    .map(
      ({ name, type, help, metrics }) =>
        `<tr><td><code>${inHtml(name)}</code></td><td>${type}</td><td>${metrics.length}</td><td>${inHtml(help)}</td></tr>`,
    )
    .join('');
  return `<details><summary><code>${inHtml(formatLabels(labelsOf(group.labels)))}</code>
${group.failedAt > group.pushedAt ? '<b class="bad">last push failed</b>' : ''} pushed ${when(group.pushedAt)}
<button data-path="${inHtml(groupPath(group))}">Delete</button></summary>
<p>Failed: ${when(group.failedAt)}. Options: ${inHtml(options.map(([name, value]) => `${name}=${value}`).join(', ') || 'none')}.</p>
<table><tr><th>metric</th><th>type</th><th>series</th><th>help</th></tr>${rows}</table></details>`;
}

export function pushPage(state: PushState, prefix: string): string {
  const groups = [...state.groups.values()].map(groupHtml).join('\n');
  const tables = [...state.tables.values()]
    .map((table) => `<li><code>${inHtml(table.name)}</code>: ${table.rows.length} series</li>`)
    .join('');
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Push gateway</title>
<style>body{font:14px/1.5 system-ui,sans-serif;margin:2rem;max-width:70rem}table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:left;border-bottom:1px solid #ddd}.bad{color:#b00}summary{cursor:pointer}</style>
<h1>Push gateway</h1><p>${state.groups.size} groups, ${state.tables.size} metrics pushed as JSON.
<a href="${prefix}/metrics">Metrics</a></p>
${groups || '<p>Nothing has been pushed yet.</p>'}
${tables === '' ? '' : `<h2>Pushed as JSON</h2><ul>${tables}</ul>`}
<script>
for (const button of document.querySelectorAll('button')) button.onclick = async (event) => {
  event.preventDefault();
  if (!confirm('Delete this group?')) return;
  await window.fetch(${JSON.stringify(`${prefix}/`)} + button.dataset.path, { method: 'DELETE' });
  location.reload();
};
</script></html>`;
}
