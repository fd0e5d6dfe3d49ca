// Finds the route of a request: patterns are trees of segments, ':name' takes one, '*name' the rest. Literal segments win
// over named ones.

import { assert } from '#base/assert.ts';
import type { Route } from './http.ts';

export type Match =
  | { readonly kind: 'found'; readonly route: Route; readonly params: Record<string, string> }
  | { readonly kind: 'wrongMethod'; readonly allowed: readonly string[] }
  | { readonly kind: 'notFound' };

type Node = {
  readonly literals: Map<string, Node>;
  named?: { readonly name: string; readonly node: Node };
  rest?: { readonly name: string; readonly routes: Map<string, Route> };
  readonly routes: Map<string, Route>;
};

const newNode = (): Node => ({ literals: new Map(), routes: new Map() });

export class Router {
  readonly #root = newNode();

  constructor(routes: readonly Route[]) {
    for (const route of routes) this.#add(route);
  }

  find(method: string, path: string): Match {
    const params: Record<string, string> = {};
    const routes = walk(this.#root, path.split('/').slice(1), 0, params);
    if (!routes) return { kind: 'notFound' };
    const route = routes.get(method) ?? (method === 'HEAD' ? routes.get('GET') : undefined);
    if (route) return { kind: 'found', route, params };
    // What takes every path says nothing about the methods of one.
    if (routes === this.#root.rest?.routes) return { kind: 'notFound' };
    return { kind: 'wrongMethod', allowed: [...routes.keys()] };
  }

  #add(route: Route): void {
    let node = this.#root;
    let routes: Map<string, Route> | undefined;
    for (const segment of route.pattern.split('/').slice(1)) {
      assert(!routes, `nothing may follow '*' in ${route.pattern}`);
      if (segment.startsWith('*')) {
        node.rest ??= { name: segment.slice(1), routes: new Map() };
        routes = node.rest.routes;
      } else if (segment.startsWith(':')) {
        node.named ??= { name: segment.slice(1), node: newNode() };
        assert(node.named.name === segment.slice(1), `${route.pattern} names a segment unlike other patterns`);
        node = node.named.node;
      } else {
        let next = node.literals.get(segment);
        if (!next) {
          next = newNode();
          node.literals.set(segment, next);
        }
        node = next;
      }
    }
    for (const method of route.methods) {
      const target = routes ?? node.routes;
      assert(!target.has(method), `${method} ${route.pattern} is routed twice`);
      target.set(method, route);
    }
  }
}

/** The methods of the place a path leads to; fills in the params of the way taken. */
function walk(
  node: Node,
  segments: readonly string[],
  at: number,
  params: Record<string, string>,
): Map<string, Route> | undefined {
  if (at === segments.length) {
    if (node.routes.size > 0) return node.routes;
    return undefined;
  }
  const segment = segments[at]!;
  const literal = node.literals.get(segment);
  const found = literal && walk(literal, segments, at + 1, params);
  if (found) return found;
  if (node.named && segment !== '') {
    const below = walk(node.named.node, segments, at + 1, params);
    if (below) {
      params[node.named.name] = decodeSegment(segment);
      return below;
    }
  }
  if (node.rest) {
    params[node.rest.name] = segments.slice(at).map(decodeSegment).join('/');
    return node.rest.routes;
  }
  return undefined;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
