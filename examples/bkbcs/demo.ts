// The container platform of catalog/bkbcs.yml, simulated: every module has its own /<module>/metrics page on one port, a file for file_sd
// (label bcs_module), and the short-lived executor reports through the node exporter's textfile folder. Now and then something breaks,
// so that dashboards and alerts show life. Run:
//     node examples/bkbcs/demo.ts --port=9200 --sd-folder=/tmp/bkbcs --textfile-folder=/tmp/bkbcs/text
// It breaks after eight minutes and for seven; --break-every=60 --break-lasts=30 shows it sooner.

import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Counter, Gauge, Histogram, Registry } from '@prometheus-io/client';
import { type Catalog, type CatalogMetric, readCatalog, typeOf } from '#exporters/catalog/catalog.ts';

const EXECUTOR = 'container-executor';
const STEP_MS = 1000;
/** Steps between two breakdowns, and how many steps one takes: long enough for alerts that wait five minutes. */
const BREAK_EVERY = 900;
const BREAK_LASTS = 420;

export type Demo = { readonly registries: ReadonlyMap<string, Registry>; step(): void };

/** When things break: the last `lasts` of `every` steps. */
export type Breaks = { readonly every: number; readonly lasts: number };

/** All metrics of a catalog, moved by `step`. `random` gives numbers in [0, 1). */
export function createDemo(
  catalog: Catalog,
  random: () => number,
  breaks: Breaks = { every: BREAK_EVERY, lasts: BREAK_LASTS },
): Demo {
  const registries = new Map<string, Registry>();
  const moves: ((isBroken: boolean) => void)[] = [];
  for (const module of catalog.modules) {
    const registry = new Registry();
    registries.set(module.name, registry);
    for (const metric of module.metrics) moves.push(moveOf(metric, registry, random));
  }
  let steps = 0;
  return {
    registries,
    step() {
      const isBroken = steps++ % breaks.every >= breaks.every - breaks.lasts;
      for (const move of moves) move(isBroken);
    },
  };
}

/** Every combination of the label values that the catalog knows. */
function combinations(metric: CatalogMetric): Record<string, string>[] {
  return Object.entries(metric.labels).reduce<Record<string, string>[]>(
    (all, [label, values]) => all.flatMap((one) => values.map((value) => ({ ...one, [label]: value }))),
    [{}],
  );
}

function moveOf(metric: CatalogMetric, registry: Registry, random: () => number): (isBroken: boolean) => void {
  const shared = {
    name: metric.name,
    help: metric.help,
    labelNames: Object.keys(metric.labels),
    registers: [registry],
  };
  const series = combinations(metric);
  const isBad = (labels: Record<string, string>) =>
    Object.values(labels).includes('failure') || /_errors_total$/.test(metric.name);
  switch (typeOf(metric)) {
    case 'counter': {
      const counter = new Counter(shared);
      return (isBroken) => {
        for (const labels of series) {
          const mean = isBad(labels) ? (isBroken ? 6 : 0.05) : 10;
          counter.inc(labels, Math.floor(random() * 2 * mean + (random() < mean % 1 ? 1 : 0)));
        }
      };
    }
    case 'histogram': {
      const histogram = new Histogram({ ...shared, ...(metric.buckets ? { buckets: [...metric.buckets] } : {}) });
      return (isBroken) => {
        for (const labels of series)
          for (let i = 0; i < 5; i++) histogram.observe(labels, -Math.log(1 - random()) * (isBroken ? 0.8 : 0.05));
      };
    }
    default: {
      const gauge = new Gauge(shared);
      const isState = /_(state|health|connected)$/.test(metric.name);
      // What the catalog calls wrong when it is 0.
      const failsAtZero = /== 0$/.test(metric.alert?.expr ?? '');
      const scale = metric.unit === 'bytes' ? 64 * 1024 ** 3 : 100;
      return (isBroken) => {
        for (const labels of series)
          gauge.set(
            labels,
            isBroken && (isState || failsAtZero) ? 0 : isState ? 1 : Math.round(scale * (0.6 + 0.2 * random())),
          );
      };
    }
  }
}

/** One file for each module: `<prefix>/<module>_sd_config.json`. */
function writeDiscovery(folder: string, catalog: Catalog, target: string): void {
  const below = path.join(folder, catalog.scheme.prefix);
  fs.mkdirSync(below, { recursive: true });
  for (const module of catalog.modules) {
    if (module.metrics.length === 0 || module.name === EXECUTOR) continue;
    const groups = [
      { targets: [target], labels: { bcs_module: module.name, __metrics_path__: `/${module.name}/metrics` } },
    ];
    const file = path.join(below, `${module.name}_sd_config.json`);
    fs.writeFileSync(`${file}.tmp`, JSON.stringify(groups, null, 2));
    fs.renameSync(`${file}.tmp`, file);
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '9200' },
      'sd-folder': { type: 'string' },
      'textfile-folder': { type: 'string' },
      'break-every': { type: 'string', default: String(BREAK_EVERY) },
      'break-lasts': { type: 'string', default: String(BREAK_LASTS) },
      catalog: { type: 'string', default: path.join(import.meta.dirname, '..', '..', 'catalog', 'bkbcs.yml') },
    },
  });
  const catalog = readCatalog(fs.readFileSync(values.catalog, 'utf8'), values.catalog);
  const breaks = { every: Number(values['break-every']), lasts: Number(values['break-lasts']) };
  if (!(breaks.every > 0 && breaks.lasts >= 0))
    throw new Error('--break-every and --break-lasts are numbers of seconds');
  const demo = createDemo(catalog, Math.random, breaks);
  demo.step();
  if (values['sd-folder']) writeDiscovery(values['sd-folder'], catalog, `localhost:${values.port}`);
  const text = values['textfile-folder'];
  if (text) fs.mkdirSync(text, { recursive: true });
  setInterval(async () => {
    demo.step();
    if (!text) return;
    const file = path.join(text, 'executor.prom');
    fs.writeFileSync(`${file}.tmp`, await demo.registries.get(EXECUTOR)!.metrics());
    fs.renameSync(`${file}.tmp`, file);
  }, STEP_MS);
  http
    .createServer(async (request, response) => {
      const module = /^\/([^/]+)\/metrics$/.exec(request.url?.split('?')[0] ?? '')?.[1];
      const registries = module === undefined ? [...demo.registries.values()] : [demo.registries.get(module)];
      if (registries.includes(undefined) || (module === undefined && request.url !== '/metrics')) {
        response.writeHead(404).end('there is /metrics and /<module>/metrics\n');
        return;
      }
      const pages = await Promise.all(registries.map((registry) => registry!.metrics()));
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(pages.join('\n'));
    })
    .listen(Number(values.port), () => console.log(`bkbcs demo: http://localhost:${values.port}/metrics`));
}

if (process.argv[1] === import.meta.filename) await main();
