// The labels of a route for one of its groups: each is a template, and may name others.

import type { Logger } from '#base/log.ts';
import type { Labels } from '#model/labels.ts';
import type { Route } from '../route/tree.ts';
import type { KnownAlert } from '../store.ts';
import type { Notification } from './receiver.ts';
import type { Render } from './render.ts';

export type RouteLabelsGroup = {
  readonly route: Route;
  readonly groupKey: string;
  readonly groupLabels: Labels;
  readonly now: number;
};

/** What cannot be rendered is logged and left out. */
export function renderRouteLabels(
  { route, groupKey, groupLabels, now }: RouteLabelsGroup,
  alerts: readonly KnownAlert[],
  render: Render,
  logger: Logger,
): Readonly<Record<string, string>> {
  const { labels: routeLabels, receiver } = route.settings;
  const names = Object.keys(routeLabels);
  if (names.length === 0) return {};
  const notification: Notification = {
    ...{ receiver, groupKey, groupLabels, routeLabels, alerts, changed: new Set<string>(), now },
    reason: 'first notification',
    ...{ truncated: 0, previous: {} },
  };
  const { routeLabel } = render(notification, 'templates');
  return Object.fromEntries(
    names.flatMap((name) => {
      try {
        return [[name, routeLabel(name)]];
      } catch (error) {
        logger.error('cannot render a route label', { label: name, err: error });
        return [];
      }
    }),
  );
}
