// The routing tree: which receivers an alert goes to and how it is grouped there. A route inherits what it does not set; the
// first child that matches takes the alert unless it says `continue`; an alert that no child takes stays with its parent.

import { keepLabels, type Labels } from '#model/labels.ts';
import { compileMatchers, formatMatcher, type Matcher } from '#model/matcher.ts';

export type RouteSettings = {
  readonly receiver: string;
  /** 'all' groups by every label. */
  readonly groupBy: readonly string[] | 'all';
  readonly groupWaitMs: number;
  readonly groupIntervalMs: number;
  readonly repeatIntervalMs: number;
  readonly muteIntervals: readonly string[];
  readonly activeIntervals: readonly string[];
  /** Go templates, rendered for each group. */
  readonly labels: Readonly<Record<string, string>>;
};

export type RouteSpec = Partial<RouteSettings> & {
  readonly matchers: readonly Matcher[];
  readonly continue: boolean;
  readonly routes: readonly RouteSpec[];
};

export type Route = {
  readonly settings: RouteSettings;
  readonly matchers: readonly Matcher[];
  readonly continue: boolean;
  readonly routes: readonly Route[];
  /** The matchers on the way from the root, as upstream writes keys: `{}/{a="b"}`. */
  readonly key: string;
  /** Like `key`, with the position among equal siblings: unique in the tree. */
  readonly id: string;
  readonly matches: (labels: Labels) => boolean;
};

const DEFAULTS: Omit<RouteSettings, 'receiver'> = {
  groupBy: [],
  groupWaitMs: 30_000,
  groupIntervalMs: 300_000,
  repeatIntervalMs: 14_400_000,
  muteIntervals: [],
  activeIntervals: [],
  labels: {},
};

export function buildTree(spec: RouteSpec): Route {
  return build(spec, undefined, 0);
}

function build(spec: RouteSpec, parent: Route | undefined, index: number): Route {
  const base: RouteSettings = parent?.settings ?? { ...DEFAULTS, receiver: '' };
  const own = Object.fromEntries(
    Object.entries(spec).filter(([name, value]) => value !== undefined && name in { ...base }),
  );
  const settings: RouteSettings = {
    ...base,
    // Time intervals belong to a route alone.
    muteIntervals: [],
    activeIntervals: [],
    ...(own as Partial<RouteSettings>),
    labels: { ...base.labels, ...spec.labels },
  };
  const shown = `{${[...spec.matchers].sort(byNameThenValue).map(formatMatcher).join(',')}}`;
  const node: Route & { routes: readonly Route[] } = {
    settings,
    matchers: spec.matchers,
    continue: spec.continue,
    routes: [],
    key: parent ? `${parent.key}/${shown}` : shown,
    id: parent ? `${parent.id}/${shown}/${index}` : shown,
    matches: compileMatchers(spec.matchers),
  };
  return Object.assign(node, { routes: spec.routes.map((child, i) => build(child, node, i)) });
}

const byNameThenValue = (a: Matcher, b: Matcher): number =>
  a.name !== b.name ? (a.name < b.name ? -1 : 1) : a.value < b.value ? -1 : a.value > b.value ? 1 : 0;

/** The routes an alert ends at: at least one if the root matches, and the root always does. */
export function matchRoutes(route: Route, labels: Labels): readonly Route[] {
  if (!route.matches(labels)) return [];
  const found: Route[] = [];
  for (const child of route.routes) {
    const below = matchRoutes(child, labels);
    found.push(...below);
    if (below.length > 0 && !child.continue) break;
  }
  return found.length > 0 ? found : [route];
}

export function groupLabels(route: Route, labels: Labels): Labels {
  const { groupBy } = route.settings;
  if (groupBy === 'all') return labels;
  const names = new Set(groupBy);
  return keepLabels(labels, (name) => names.has(name));
}

export function* walkRoutes(route: Route): Iterable<Route> {
  yield route;
  for (const child of route.routes) yield* walkRoutes(child);
}
