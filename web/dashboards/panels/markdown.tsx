// Markdown as elements, never as HTML: what a text panel says cannot run code or load anything from elsewhere. Headings,
// lists, quotes, tables, code, emphasis, links; pictures only from this server or inline.

import { createElement, type ReactNode } from 'react';
import { hrefOf } from '../../base/router.tsx';

const SAFE_LINK = /^(https?:|mailto:|\/|#|\?|\.)/i;
const SAFE_IMAGE = /^(data:image\/(png|jpeg|gif|svg\+xml|webp);|\/(?!\/)|\.)/i;

/** The text of an HTML panel: tags become nothing or line breaks. */
export function stripHtml(html: string): string {
  return html
    .replace(/<(script|style)[\s\S]*?<\/\1>/gi, '')
    .replace(/<a\s[^>]*href="([^"]*)"[^>]*>([\s\S]*?)<\/a>/gi, '[$2]($1)')
    .replace(/<h([1-6])[^>]*>/gi, (_, level: string) => `\n${'#'.repeat(Number(level))} `)
    .replace(/<li[^>]*>/gi, '\n- ')
    .replace(/<(br|\/p|\/div|\/h[1-6]|\/tr|\/ul|\/ol)\s*\/?>/gi, '\n\n')
    .replace(/<\/?(b|strong)[^>]*>/gi, '**')
    .replace(/<[^>]+>/g, '')
    .replace(/&nbsp;/g, ' ')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, '&');
}

export function Markdown({ text }: { text: string }) {
  return <div className="markdown">{blocks(text.replaceAll('\r\n', '\n').split('\n'))}</div>;
}

function blocks(lines: readonly string[]): ReactNode[] {
  const out: ReactNode[] = [];
  let at = 0;
  const take = (test: (line: string) => boolean): string[] => {
    const from = at;
    while (at < lines.length && test(lines[at]!)) at++;
    return lines.slice(from, at);
  };
  while (at < lines.length) {
    const line = lines[at]!;
    const key = at;
    const heading = /^(#{1,6})\s+(.*?)\s*#*$/.exec(line);
    if (line.trim() === '') at++;
    else if (heading) {
      at++;
      out.push(createElement(`h${Math.min(6, heading[1]!.length + 2)}`, { key }, inline(heading[2]!)));
    } else if (/^(```|~~~)/.test(line)) {
      const fence = line.slice(0, 3);
      at++;
      const code = take((one) => !one.startsWith(fence));
      at++;
      out.push(
        <pre key={key} className="code">
          {code.join('\n')}
        </pre>,
      );
    } else if (/^ {0,3}([-*_])( *\1){2,} *$/.test(line)) {
      at++;
      out.push(<hr key={key} />);
    } else if (line.startsWith('>')) {
      out.push(
        <blockquote key={key}>
          {blocks(take((one) => one.startsWith('>')).map((one) => one.replace(/^>\s?/, '')))}
        </blockquote>,
      );
    } else if (/^\s*([-*+]|\d+[.)])\s+/.test(line)) {
      out.push(
        list(
          take((one) => /^\s*([-*+]|\d+[.)])\s+/.test(one) || /^\s{2,}\S/.test(one)),
          key,
        ),
      );
    } else if (line.includes('|') && /^\s*\|?[\s:|-]+\|[\s:|-]*$/.test(lines[at + 1] ?? '')) {
      out.push(
        table(
          take((one) => one.includes('|')),
          key,
        ),
      );
    } else {
      const text = take((one) => one.trim() !== '' && !/^(#{1,6}\s|```|~~~|>|\s*([-*+]|\d+[.)])\s)/.test(one));
      if (text.length === 0) text.push(lines[at++]!);
      out.push(<p key={key}>{inline(text.join('\n'))}</p>);
    }
  }
  return out;
}

function list(lines: readonly string[], key: number): ReactNode {
  const indent = /^\s*/.exec(lines[0]!)![0].length;
  const items: string[][] = [];
  for (const line of lines) {
    const own = /^\s*/.exec(line)![0].length;
    if (own <= indent && /^\s*([-*+]|\d+[.)])\s+/.test(line)) items.push([line.replace(/^\s*([-*+]|\d+[.)])\s+/, '')]);
    else items.at(-1)?.push(line.slice(Math.min(own, indent + 2)));
  }
  const children = items.map((item, index) => (
    <li key={index}>
      {inline(item[0]!)}
      {item.length > 1 && blocks(item.slice(1))}
    </li>
  ));
  return /^\s*\d/.test(lines[0]!) ? <ol key={key}>{children}</ol> : <ul key={key}>{children}</ul>;
}

function table(lines: readonly string[], key: number): ReactNode {
  const cells = (line: string) =>
    line
      .trim()
      .replace(/^\||\|$/g, '')
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim());
  const [head, , ...rows] = lines;
  return (
    <table key={key} className="data compact">
      <thead>
        <tr>
          {cells(head!).map((cell, index) => (
            <th key={index}>{inline(cell)}</th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row, index) => (
          <tr key={index}>
            {cells(row).map((cell, column) => (
              <td key={column}>{inline(cell)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const INLINE =
  /(`+)([\s\S]*?)\1|!\[([^\]]*)\]\(([^)\s]+)[^)]*\)|\[([^\]]*)\]\(([^)\s]+)[^)]*\)|(\*\*|__)(?=\S)([\s\S]*?\S)\7|(\*|_)(?=\S)([\s\S]*?\S)\9(?![\w*])|~~([\s\S]*?)~~|(https?:\/\/[^\s<)]+)|( {2}\n|<br\s*\/?>)/g;

function inline(text: string): ReactNode[] {
  const out: ReactNode[] = [];
  let at = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > at) out.push(text.slice(at, match.index));
    at = match.index + match[0].length;
    const key = match.index;
    if (match[1] !== undefined) out.push(<code key={key}>{match[2]}</code>);
    else if (match[4] !== undefined)
      out.push(
        SAFE_IMAGE.test(match[4]) ? (
          <img key={key} src={hrefOf(match[4])} alt={match[3] ?? ''} style={{ maxWidth: '100%' }} />
        ) : (
          (match[3] ?? '')
        ),
      );
    else if (match[6] !== undefined) {
      out.push(
        SAFE_LINK.test(match[6]) ? (
          <a key={key} href={hrefOf(match[6])} rel="noreferrer">
            {inline(match[5]!)}
          </a>
        ) : (
          (match[5] ?? '')
        ),
      );
    } else if (match[7] !== undefined) out.push(<strong key={key}>{inline(match[8]!)}</strong>);
    else if (match[9] !== undefined) out.push(<em key={key}>{inline(match[10]!)}</em>);
    else if (match[11] !== undefined) out.push(<del key={key}>{inline(match[11])}</del>);
    else if (match[12] !== undefined) {
      out.push(
        <a key={key} href={match[12]} rel="noreferrer">
          {match[12]}
        </a>,
      );
    } else out.push(<br key={key} />);
  }
  if (at < text.length) out.push(text.slice(at));
  return out;
}
