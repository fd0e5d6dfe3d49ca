// A live page as a catalog: its families in one nameless module, so that the linter checks what is really exposed. With a catalog at
// hand it also tells what the page lacks, what the catalog does not know, and where the two differ.

import { parseFamilies } from '#wire/families/text.ts';
import type { ParsedFamily } from '#wire/families/types.ts';
import { type Catalog, metricFromPage, typeOf } from './catalog.ts';

/** Metrics that programs have without asking: the process, the runtime, the scrape. */
const OWN = /^(process_|go_|nodejs_|promhttp_|prometheus_|pharos_|python_|jvm_|scrape_|up$|target_info$)/;

export function catalogOfPage(text: string, scheme: Catalog['scheme']): Catalog {
  const { families } = parseFamilies(text.endsWith('\n') ? text : `${text}\n`, true);
  const metrics = families
    .filter((family) => !OWN.test(family.name))
    .map((family) =>
      metricFromPage(
        family.name,
        family.type === 'untyped' ? 'untyped' : family.type,
        family.help,
        labelValues(family),
      ),
    );
  return { name: 'page', title: '', scheme, modules: [{ name: '', title: '', tier: '', metrics }] };
}

const MAX_VALUES = 50;

function labelValues(family: ParsedFamily): Record<string, string[]> {
  const values = new Map<string, Set<string>>();
  for (const { labels } of family.metrics)
    for (let i = 0; i < labels.length; i += 2) {
      const known = values.get(labels[i]!) ?? new Set<string>();
      if (known.size < MAX_VALUES) known.add(labels[i + 1]!);
      values.set(labels[i]!, known);
    }
  return Object.fromEntries([...values].map(([name, set]) => [name, [...set]]));
}

export type Difference = { readonly metric: string; readonly message: string };

/** Only what the page has is compared: a program may run some of the modules. */
export function comparePage(page: Catalog, catalog: Catalog): Difference[] {
  const known = new Map(
    catalog.modules.flatMap((module) => module.metrics.map((metric) => [metric.name, { metric, module }] as const)),
  );
  const differences: Difference[] = [];
  const seen = new Set<string>();
  const modules = new Set<string>();
  for (const metric of page.modules.flatMap((module) => module.metrics)) {
    const entry = known.get(metric.name) ?? known.get(`${metric.name}_total`);
    seen.add(entry?.metric.name ?? metric.name);
    if (!entry) {
      differences.push({ metric: metric.name, message: 'is not in the catalog' });
      continue;
    }
    modules.add(entry.module.name);
    const [actual, wanted] = [typeOf(metric), typeOf(entry.metric)];
    if (actual !== wanted)
      differences.push({ metric: metric.name, message: `is a ${metric.type}, in the catalog a ${entry.metric.type}` });
    for (const label of Object.keys(metric.labels))
      if (!(label in entry.metric.labels))
        differences.push({ metric: metric.name, message: `has a label ${label} that the catalog does not know` });
  }
  for (const [name, { module }] of known)
    if (modules.has(module.name) && !seen.has(name))
      differences.push({
        metric: name,
        message: `is missing from the page, which has other metrics of ${module.name}`,
      });
  return differences;
}
