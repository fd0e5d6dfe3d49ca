// Consoles: pages that users write as templates with queries in them, served below /consoles as Prometheus serves them. A
// template is read for every request, so that a change shows at once.

import { posix } from 'node:path';
import { type ExpandOptions, RuleTemplate } from '#alert/template/prometheus.ts';
import { GoMap, GoSlice, GoStruct, labelMap } from '#alert/template/value.ts';
import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { errorText } from '#base/errors.ts';
import type { Labels } from '#model/labels.ts';
import { type HttpRequest, type HttpResponse, type Route, text } from './http.ts';
import { innerPath } from './user-assets.ts';

export type ConsoleOptions = {
  readonly templates: string;
  readonly libraries: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly query: (expression: string, timeMs: number) => ReturnType<ExpandOptions['query']>;
  readonly externalUrl: string;
  readonly externalLabels: () => Labels;
  readonly ready: () => boolean;
};

const VARIABLES =
  '{{$rawParams := .RawParams }}{{$params := .Params}}{{$path := .Path}}{{$externalLabels := .ExternalLabels}}';

export function consoleRoutes(options: ConsoleOptions): Route[] {
  return [
    {
      methods: ['GET'],
      pattern: '/consoles/*path',
      handler: (request) => {
        if (!options.ready()) return text('Service Unavailable', 503);
        return showConsole(request, options);
      },
    },
  ];
}

async function showConsole(request: HttpRequest, options: ConsoleOptions): Promise<HttpResponse> {
  const { disk, clock, templates, externalUrl } = options;
  const name = innerPath(request.params['path'] ?? '');
  const file = `${templates}/${name}`;
  if (!name || !isFile(disk, file))
    return text(`there is no console ${name || 'without a name'} in ${templates}\n`, 404);
  const data = new GoStruct('struct { RawParams url.Values; Params map[string]string; Path string }', {
    RawParams: new GoMap(
      'url.Values',
      new Map(
        [...new Set(request.query.keys())].map((key) => [key, new GoSlice('[]string', request.query.getAll(key))]),
      ),
      null,
    ),
    Params: labelMap([...new Set(request.query.keys())].flatMap((key) => [key, request.query.get(key)!])),
    Path: name,
    ExternalLabels: labelMap(options.externalLabels()),
  });
  const now = clock.now();
  try {
    const files = libraries(disk, options.libraries);
    const template = new RuleTemplate(`__console_/${name}`, VARIABLES + readText(disk, file), { files });
    const page = await template.expand(data, {
      query: (expression) => options.query(expression, now),
      nowMs: now,
      externalUrl,
    });
    return text(page, 200, 'text/html; charset=utf-8');
  } catch (error) {
    return text(`${errorText(error)}\n`, 500);
  }
}

const readText = (disk: Disk, file: string): string => new TextDecoder().decode(disk.readFile(file));

const isFile = (disk: Disk, file: string): boolean =>
  disk.list(posix.dirname(file)).some((entry) => entry.name === posix.basename(file) && !entry.isFolder);

const libraries = (disk: Disk, folder: string) =>
  disk
    .list(folder)
    .filter(({ name, isFolder }) => name.endsWith('.lib') && !isFolder)
    .map(({ name }) => ({ name, text: readText(disk, `${folder}/${name}`) }));
