// Serves the browser application: the page for every address it knows, its assets with names that carry their hash, for
// ever cacheable and already compressed. The page refers to its assets relative to the address it was asked at, so it
// works below any prefix, also one that only a proxy knows.

import { createHash } from 'node:crypto';
import type { Disk } from '#base/disk/disk.ts';
import type { HttpRequest, HttpResponse, Route } from './http.ts';

/** First segments of addresses that are the application's pages, by the role that shows them. */
export const PAGES = {
  server: [
    '',
    'agent',
    'alert-groups',
    'alert-history',
    'alertmanager',
    'alertmanager-discovery',
    'alerts',
    'cardinality',
    'classic',
    'config',
    'd',
    'dashboards',
    'data-sources',
    'flags',
    'graph',
    'metric-browser',
    'push',
    'push-groups',
    'queries',
    'query',
    'route-tester',
    'rules',
    'rule-versions',
    'service-discovery',
    'shards',
    'silences',
    'status',
    'targets',
    'tsdb-status',
  ],
  alertmanager: ['', 'alert-groups', 'alert-history', 'route-tester', 'silences', 'status'],
} as const;

export type PageRole = keyof typeof PAGES;

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  map: 'application/json',
  png: 'image/png',
  svg: 'image/svg+xml',
  woff2: 'font/woff2',
};
const ENCODINGS = [
  ['br', '.br'],
  ['gzip', '.gz'],
] as const;

const SECURITY = {
  'content-security-policy':
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; object-src 'none'; base-uri 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
};

const DEFAULT_TITLE = 'Pharos';

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

export type WebOptions = {
  /** The folder that tools/build-web.ts fills; it may be filled anew while the server runs. */
  readonly folder: string;
  readonly disk: Disk;
  readonly role: PageRole;
  /** What the browser's tab shows after the name of a page. */
  readonly title?: string;
};

export function webRoutes({ folder, disk, role, title = DEFAULT_TITLE }: WebOptions): Route[] {
  const pages: readonly string[] = PAGES[role];
  return [
    {
      methods: ['GET'],
      pattern: '/*path',
      handler: (request) => {
        const path = request.path.replace(/^\//, '');
        if (isAsset(path) && disk.exists(`${folder}/${path}`)) return asset(disk, folder, path, request);
        const isPage = pages.includes(path.split('/')[0]!) && !/^(alertmanager|push)\/(api|metrics|-)/.test(path);
        if (isPage && disk.exists(`${folder}/index.html`)) return indexPage(disk, folder, role, title, request);
        return {
          status: 404,
          headers: { 'content-type': 'text/plain; charset=utf-8' },
          body: isPage ? 'the browser application is not built; `npm run setup` builds it\n' : '404 page not found\n',
        };
      },
    },
  ];
}

/** Files of the application lie in its folder or one below, have an ending that is served, and no dot in front. */
const isAsset = (path: string): boolean =>
  path !== 'index.html' && /^([\w-]+\/)?[\w-][\w.-]*$/.test(path) && (path.split('.').at(-1) ?? '') in TYPES;

function indexPage(disk: Disk, folder: string, role: PageRole, title: string, request: HttpRequest): HttpResponse {
  const depth = request.path.split('/').length - 2;
  const up = depth <= 0 ? './' : '../'.repeat(depth);
  const html = Buffer.from(disk.readFile(`${folder}/index.html`))
    .toString('utf8')
    .replace(
      '<html',
      () => `<html data-role="${role}"${title === DEFAULT_TITLE ? '' : ` data-title="${escaped(title)}"`}`,
    )
    .replace(/<title>[^<]*</, () => `<title>${escaped(title)}<`)
    .replaceAll(/(src|href)="\.\//g, `$1="${up}`);
  const etag = `"${createHash('sha256').update(html).digest('base64url').slice(0, 22)}"`;
  const headers = { ...SECURITY, 'content-type': TYPES.html!, 'cache-control': 'no-cache', etag };
  if (request.headers['if-none-match'] === etag) return { status: 304, headers };
  return { status: 200, headers, body: html };
}

function asset(disk: Disk, folder: string, path: string, request: HttpRequest): HttpResponse {
  const accepted = String(request.headers['accept-encoding'] ?? '');
  const made = ENCODINGS.filter(([, suffix]) => disk.exists(`${folder}/${path}${suffix}`));
  const chosen = made.find(([name]) => accepts(accepted, name));
  const isHashed = path.startsWith('assets/');
  return {
    status: 200,
    headers: {
      'content-type': TYPES[path.split('.').at(-1)!] ?? 'application/octet-stream',
      'cache-control': isHashed ? 'public, max-age=31536000, immutable' : 'public, max-age=3600',
      'x-content-type-options': 'nosniff',
      ...(made.length > 0 ? { vary: 'Accept-Encoding' } : {}),
      ...(chosen ? { 'content-encoding': chosen[0] } : {}),
    },
    body: disk.readFile(`${folder}/${path}${chosen?.[1] ?? ''}`),
  };
}

/** Whether an Accept-Encoding header takes an encoding; `q=0` refuses it. */
function accepts(header: string, name: string): boolean {
  return header.split(',').some((part) => {
    const [encoding, ...parameters] = part.trim().split(/\s*;\s*/);
    return encoding?.toLowerCase() === name && !parameters.some((parameter) => /^q=0(\.0*)?$/i.test(parameter));
  });
}
