// Probes over HTTP as blackbox_exporter answers them: /probe, what the last ones noted under /logs, and a page that lists them.

import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import type { Logger } from '#base/log.ts';
import type { ProbeHistory } from '#exporters/probe/history.ts';
import type { ProbeModule } from '#exporters/probe/modules.ts';
import { type ProbeResult, probe } from '#exporters/probe/probe.ts';
import type { Counter } from '#model/registry.ts';
import { render, writeText } from '#wire/exposition/write.ts';
import { type HttpRequest, type HttpResponse, type Route, text } from './http.ts';

export type ProbeOptions = {
  readonly modules: () => Readonly<Record<string, ProbeModule>>;
  readonly history: ProbeHistory;
  /** Seconds before the scraper gives up in which a probe must have ended. */
  readonly timeoutOffset: number;
  readonly unknownModules: Counter;
  readonly clock: Clock;
  readonly disk: Disk;
  /** For what is said of every probe. */
  readonly log: Logger;
};

const SHORTEST_PROBE_SECONDS = 0.1;

const inHtml = (raw: string): string => raw.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);

export function probeRoutes(options: ProbeOptions): Route[] {
  return [
    { methods: ['GET'], pattern: '/probe', handler: (request) => answerProbe(request, options) },
    { methods: ['GET'], pattern: '/logs', handler: ({ query }) => answerLogs(query, options.history) },
    {
      methods: ['GET'],
      pattern: '/',
      handler: () => text(indexPage(options.history), 200, 'text/html; charset=utf-8'),
    },
  ];
}

async function answerProbe(request: HttpRequest, options: ProbeOptions): Promise<HttpResponse> {
  const { history, clock, disk } = options;
  const name = request.query.get('module') || 'http_2xx';
  const module = options.modules()[name];
  if (!module) {
    options.unknownModules.add(1);
    return text(`Unknown module "${name}"\n`, 400);
  }
  const target = request.query.get('target');
  if (!target) return text('Target parameter is missing\n', 400);
  const limit = scraperLimitMs(request, options.timeoutOffset);
  if (Number.isNaN(limit)) return text('Failed to parse timeout from Prometheus header\n', 500);
  const hostname = request.query.get('hostname') || undefined;
  const result = await probe(module, target, limit, clock, disk, hostname);
  tell(result, options.log.with({ module: name, target }));
  const report = reportOf(name, target, result);
  history.add({ module: name, target, ok: result.ok, report });
  if (request.query.get('debug') === 'true') return text(report);
  const page = render(result.families, String(request.headers['accept'] ?? ''));
  return { status: 200, headers: { 'content-type': page.contentType }, body: page.body };
}

/** Undefined when the scraper does not say how long it waits; NaN when what it says is no number. */
function scraperLimitMs({ headers }: HttpRequest, timeoutOffset: number): number | undefined {
  const given = headers['x-prometheus-scrape-timeout-seconds'];
  if (given === undefined || given === '') return undefined;
  const seconds = Number(given);
  return (timeoutOffset < seconds ? Math.max(SHORTEST_PROBE_SECONDS, seconds - timeoutOffset) : seconds) * 1000;
}

function tell({ ok, log: notes }: ProbeResult, log: Logger): void {
  for (const note of notes) log.debug(note);
  if (ok) log.debug('probe succeeded');
  else log.error('probe failed', { err: notes.at(-1) ?? 'no reason is known' });
}

const reportOf = (module: string, target: string, { ok, log, families }: ProbeResult): string =>
  `Probe of ${target} by ${module}: ${ok ? 'success' : 'failure'}

Logs for the probe:
${log.join('\n')}

Metrics that would have been returned:
${writeText(families)}`;

function answerLogs(query: URLSearchParams, history: ProbeHistory): HttpResponse {
  const [id, target, module] = [query.get('id') ?? '', query.get('target') ?? '', query.get('module') ?? ''];
  if (id !== '' && target !== '') return text('Probe id and target cannot be given at the same time\n', 400);
  if (id === '' && target === '') return text('Probe id or target must be given as a query parameter\n', 400);
  if (target === '' && module !== '') return text('A module can be given together with a target only\n', 400);
  const found = target === '' ? history.byId(Number(id)) : history.byTarget(target, module);
  if (!found) return text(`Probe ${target === '' ? 'id' : 'target'} not found\n`, 404);
  return text(found.report);
}

function indexPage(history: ProbeHistory): string {
  const rows = [...history.list()]
    .reverse()
    .map(
      ({ id, module, target, ok }) =>
        `<tr><td>${inHtml(module)}</td><td>${inHtml(target)}</td><td>${ok ? 'Success' : '<b>Failure</b>'}</td><td><a href="logs?id=${id}">Logs</a></td></tr>`,
    );
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Exporter</title>
<style>body{font:14px/1.5 system-ui,sans-serif;margin:2rem;max-width:70rem}table{border-collapse:collapse}td,th{padding:.2rem .8rem;text-align:left;border-bottom:1px solid #ddd}b{color:#b00}</style>
<h1>Exporter</h1>
<p><a href="metrics">Metrics of sources and queries</a> · <a href="metrics/containers">Containers</a> · <a href="config">Configuration</a></p>
<h2>Recent probes</h2>
${rows.length === 0 ? '<p>Nothing has been probed yet.</p>' : `<table><tr><th>module</th><th>target</th><th>result</th><th></th></tr>${rows.join('\n')}</table>`}
</html>`;
}
