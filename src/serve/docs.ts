// Serves the documentation that comes with the program as pages, so that links of alerts to their runbooks work without any
// other server. Markdown as it is written in docs/: headings, paragraphs, lists, tables, code, emphasis, links.

import path from 'node:path';
import type { Disk } from '#base/disk/disk.ts';
import type { HttpResponse, Route } from './http.ts';
import { text } from './http.ts';

export type DocsOptions = {
  /** The folder of the pages. */
  readonly folder: string;
  readonly disk: Disk;
};

const SECURITY = {
  'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'",
  'x-content-type-options': 'nosniff',
};

const STYLE = `body{max-width:52rem;margin:2rem auto;padding:0 1rem;font:16px/1.6 system-ui,sans-serif;color:#1f2933;background:#fff}
code,pre{font-family:ui-monospace,monospace;font-size:.9em;background:#f1f3f5;border-radius:4px}code{padding:.1em .3em}pre{padding:.8em;overflow:auto}
pre code{padding:0}table{border-collapse:collapse}td,th{border:1px solid #d0d7de;padding:.3em .6em;text-align:left}a{color:#0b6bcb}:target{background:#fff8c5}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}code,pre{background:#161b22}td,th{border-color:#30363d}a{color:#58a6ff}:target{background:#3b2e00}}`;

/** `/docs/runbooks/hosts` and `/docs/runbooks/hosts.md` are the same page. */
export function docsRoutes({ folder, disk }: DocsOptions): Route[] {
  const page = (name: string): HttpResponse => {
    const file = path.join(folder, `${name.replace(/\.md$/, '')}.md`);
    const isBelow = path.normalize(file).startsWith(path.normalize(folder) + path.sep);
    if (!isBelow || !disk.exists(file)) return text(`there is no page ${name}\n`, 404);
    const markdown = new TextDecoder().decode(disk.readFile(file));
    return {
      status: 200,
      headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache', ...SECURITY },
      body: htmlPage(markdown),
    };
  };
  return [{ methods: ['GET'], pattern: '/docs/*path', handler: ({ params }) => page(params['path'] ?? '') }];
}

function htmlPage(markdown: string): string {
  const title = /^# (.*)$/m.exec(markdown)?.[1] ?? 'Documentation';
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title>`;
  return `<!DOCTYPE html>\n<html lang="en"><head>${head}<style>${STYLE}</style></head><body>\n${markdownToHtml(markdown)}\n</body></html>\n`;
}

const escapeHtml = (plain: string): string =>
  plain.replace(/[&<>"]/g, (c) => (c === '&' ? '&amp;' : c === '<' ? '&lt;' : c === '>' ? '&gt;' : '&quot;'));

/** As links to sections are written: lower case, blanks as hyphens, nothing but letters, digits and hyphens. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replace(/ /g, '-');

export function markdownToHtml(markdown: string): string {
  const lines = markdown.split(/\r?\n/);
  const html: string[] = [];
  let at = 0;
  /** Lines as long as they are of a kind. */
  const take = (belongs: (line: string) => boolean): string[] => {
    const start = at;
    while (at < lines.length && belongs(lines[at]!)) at++;
    return lines.slice(start, at);
  };
  while (at < lines.length) {
    const line = lines[at]!;
    const heading = /^(#{1,6}) (.*)$/.exec(line);
    if (line.trim() === '') at++;
    else if (line.startsWith('```')) {
      at++;
      const code = take((l) => !l.startsWith('```'));
      at++;
      html.push(`<pre><code>${escapeHtml(code.join('\n'))}</code></pre>`);
    } else if (heading) {
      at++;
      const [, marks, words] = heading as unknown as [string, string, string];
      html.push(`<h${marks.length} id="${escapeHtml(anchorOf(words))}">${inline(words)}</h${marks.length}>`);
    } else if (/^ {4}/.test(line)) {
      const code = take((l) => /^ {4}/.test(l) || l.trim() === '').join('\n');
      html.push(`<pre><code>${escapeHtml(code.replace(/^ {4}/gm, '').trimEnd())}</code></pre>`);
    } else if (line.startsWith('|')) html.push(table(take((l) => l.startsWith('|'))));
    else if (/^([-*]|\d+\.) /.test(line)) {
      const tag = /^\d/.test(line) ? 'ol' : 'ul';
      const items = take((l) => /^([-*]|\d+\.) /.test(l) || /^ +\S/.test(l)).join('\n');
      const texts = items.split(/^(?:[-*]|\d+\.) /m).slice(1);
      html.push(
        `<${tag}>${texts.map((item) => `<li>${inline(item.replace(/\s+/g, ' ').trim())}</li>`).join('')}</${tag}>`,
      );
    } else {
      const paragraph = take((l) => l.trim() !== '' && !/^(#{1,6} |```|\||[-*] |\d+\. )/.test(l));
      html.push(`<p>${inline(paragraph.join(' '))}</p>`);
    }
  }
  return html.join('\n');
}

function table(rows: readonly string[]): string {
  const cells = (row: string, tag: string) =>
    row
      .replace(/^\||\|\s*$/g, '')
      .split(/(?<!\\)\|/)
      .map((cell) => `<${tag}>${inline(cell.trim().replaceAll('\\|', '|'))}</${tag}>`)
      .join('');
  const [head, separator, ...body] = rows;
  const hasHead = separator !== undefined && /^[|:\s-]+$/.test(separator);
  const below = (hasHead ? body : rows).map((row) => `<tr>${cells(row, 'td')}</tr>`).join('');
  return `<table>${hasHead ? `<tr>${cells(head!, 'th')}</tr>` : ''}${below}</table>`;
}

/** Code first, so that nothing inside it counts as emphasis or a link. */
function inline(plain: string): string {
  return plain
    .split(/(`[^`]+`)/)
    .map((part) => {
      if (part.length > 2 && part.startsWith('`')) return `<code>${escapeHtml(part.slice(1, -1))}</code>`;
      return escapeHtml(part)
        .replace(/\[([^\]]+)\]\((https?:\/\/[^)\s]+|[\w./#-][^):\s]*)\)/g, '<a href="$2">$1</a>')
        .replace(/\*\*([^*]+)\*\*/g, '<strong>$1</strong>')
        .replace(/(^|[\s(])\*([^*\s][^*]*)\*/g, '$1<em>$2</em>');
    })
    .join('');
}
