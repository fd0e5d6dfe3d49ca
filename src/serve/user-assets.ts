// Files of the user's own below /user, as Prometheus serves the folder of --web.user-assets.

import type { Disk } from '#base/disk/disk.ts';
import { type HttpResponse, type Route, text } from './http.ts';

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  gif: 'image/gif',
  htm: 'text/html; charset=utf-8',
  html: 'text/html; charset=utf-8',
  ico: 'image/x-icon',
  jpeg: 'image/jpeg',
  jpg: 'image/jpeg',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  mjs: 'text/javascript; charset=utf-8',
  pdf: 'application/pdf',
  png: 'image/png',
  svg: 'image/svg+xml',
  txt: 'text/plain; charset=utf-8',
  webp: 'image/webp',
  woff2: 'font/woff2',
  xml: 'text/xml; charset=utf-8',
};

/** The parts of a path below a folder; undefined when it would leave the folder or names what is hidden. */
export function innerPath(path: string): string | undefined {
  const parts = path.split('/').filter((part) => part !== '');
  return parts.some((part) => part.startsWith('.') || part.includes('\0') || part.includes('\\'))
    ? undefined
    : parts.join('/');
}

/** No routes when no folder is given. */
export function userAssetRoutes(folder: string, disk: Disk): Route[] {
  if (folder === '') return [];
  return [
    {
      methods: ['GET'],
      pattern: '/user/*path',
      handler: ({ params, path }): HttpResponse => {
        const inner = innerPath(params['path'] ?? '');
        if (inner === undefined) return text('404 page not found\n', 404);
        const name = inner === '' ? folder : `${folder}/${inner}`;
        const file = isFolder(disk, name) ? `${name}/index.html` : name;
        if (!disk.exists(file)) return text('404 page not found\n', 404);
        // Relative addresses in a page count from its folder.
        if (file !== name && !path.endsWith('/')) {
          return { status: 301, headers: { location: `${path.split('/').at(-1)}/` } };
        }
        const ending = file.split('.').at(-1)!.toLowerCase();
        const headers = {
          'content-type': TYPES[ending] ?? 'application/octet-stream',
          'last-modified': new Date(disk.modified(file)).toUTCString(),
        };
        return { status: 200, headers, body: disk.readFile(file) };
      },
    },
  ];
}

function isFolder(disk: Disk, name: string): boolean {
  const cut = name.replace(/\/+$/, '');
  const at = cut.lastIndexOf('/');
  const last = cut.slice(at + 1);
  return disk.list(at < 0 ? '.' : cut.slice(0, at) || '/').some((entry) => entry.name === last && entry.isFolder);
}
