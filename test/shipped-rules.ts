// The alerts and simulated pages that ship against what the exporters really export: every metric, every label that is matched, joined on or grouped by
// must be on a page. Alternatives joined by `or` are for different exporters; one of them is enough.

import fs from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { childrenOf, type Expr, selectorsOf } from '#query/parse/ast.ts';
import { parseExpr } from '#query/parse/parser.ts';

const FOLDER = path.join(import.meta.dirname, '..', 'deploy', 'rules');
/** What every scrape adds, and our exporter when it shows several sources on one page. */
const ADDED = ['instance', 'job', 'source', '__name__'];

type Labels = ReadonlyMap<string, ReadonlySet<string>>;

/** Labels by metric, from series as they are written on a page. */
export function labelsByMetric(series: Iterable<string>): Labels {
  const found = new Map<string, Set<string>>();
  for (const one of series) {
    const [, name = '', labels = ''] = /^([^{ ]*)(?:\{(.*)\})?/.exec(one) ?? [];
    const known = found.get(name) ?? new Set(ADDED);
    for (const match of labels.matchAll(/([a-zA-Z_]\w*)="/g)) known.add(match[1]!);
    found.set(name, known);
  }
  return found;
}

function problemsOf(expr: Expr, page: Labels): string[] {
  if (expr.kind === 'binary' && expr.op === 'or') {
    const [left, right] = [problemsOf(expr.left, page), problemsOf(expr.right, page)];
    return left.length === 0 || right.length === 0 ? [] : [...left, ...right];
  }
  const below = childrenOf(expr).flatMap((child) => problemsOf(child, page));
  const grouped =
    expr.kind === 'aggregate' ? expr.grouping : expr.kind === 'binary' && expr.matching?.on ? expr.matching.labels : [];
  const known = new Set([...selectorsOf(expr)].flatMap(({ name }) => [...(page.get(name ?? '') ?? [])]));
  const unknown = known.size === 0 ? [] : grouped.filter((label) => !known.has(label));
  return [
    ...below,
    ...unknown.map((label) => `label ${label} of ${[...selectorsOf(expr)].map(({ name }) => name).join(', ')}`),
    ...(expr.kind === 'vector' ? selectorProblems(expr, page) : []),
  ];
}

function selectorProblems(expr: Extract<Expr, { kind: 'vector' }>, page: Labels): string[] {
  const labels = page.get(expr.name ?? '');
  if (!labels) return [`metric ${expr.name}`];
  return expr.matchers.filter(({ name }) => !labels.has(name)).map(({ name }) => `label ${name} of ${expr.name}`);
}

/** What the rules of a file ask for and no page has; metrics and labels in `elsewhere` need what the test does not make. */
export function unknownToPages(file: string, page: Labels, elsewhere: RegExp = /^$/): string[] {
  const { groups } = parse(fs.readFileSync(path.join(FOLDER, file), 'utf8')) as {
    groups: { rules: { alert?: string; record?: string; expr: string }[] }[];
  };
  return groups.flatMap(({ rules }) =>
    rules.flatMap(({ alert, expr }) =>
      problemsOf(parseExpr(expr), page)
        .filter((problem) => !elsewhere.test(problem))
        .map((problem) => `${alert}: no ${problem}`),
    ),
  );
}

/** What a simulated exporter shows and the real page has not: the shipped dashboards are made for it. */
export function notOnPage(series: readonly string[], page: Labels): string[] {
  return [...labelsByMetric(series)].flatMap(([name, labels]) => {
    const real = page.get(name);
    if (!real) return [`metric ${name}`];
    return [...labels].filter((label) => !real.has(label)).map((label) => `label ${label} of ${name}`);
  });
}
