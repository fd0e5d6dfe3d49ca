// What would happen to an alert with given labels now: where it would go, what would keep it quiet, what would be said. It
// changes nothing.

import type { Logger } from '#base/log.ts';
import type { Labels } from '#model/labels.ts';
import type { Inhibitor } from './inhibit/inhibit.ts';
import type { Pipeline } from './notify/pipeline.ts';
import type { Receiver } from './notify/receiver.ts';
import type { Render } from './notify/render.ts';
import { renderRouteLabels } from './notify/route-labels.ts';
import { groupKeyOf } from './route/groups.ts';
import { groupLabels, matchRoutes, type Route } from './route/tree.ts';
import type { Silences } from './silence/silences.ts';
import type { KnownAlert } from './store.ts';

export type DryRunParts = {
  readonly tree: Route;
  readonly inhibitor: Inhibitor;
  readonly silences: Silences;
  readonly pipeline: Pipeline;
  readonly receivers: ReadonlyMap<string, Receiver>;
  readonly render: Render;
  readonly logger: Logger;
};

export type DryRun = {
  readonly inhibition: ReturnType<Inhibitor['mutes']>;
  readonly silences: readonly string[];
  readonly routes: readonly {
    readonly receiver: string;
    readonly integrations: readonly string[];
    readonly route: string;
    readonly groupKey: string;
    readonly groupWaitMs: number;
    readonly mutedBy: readonly string[];
    /** What its receiver asks for beyond upstream. */
    readonly resolvedAtOnce: boolean;
    readonly onlyChanged: boolean;
    readonly subject: string;
    readonly message: string;
  }[];
};

export function dryRun(parts: DryRunParts, labels: Labels, annotations: Labels, now: number): DryRun {
  const { tree, inhibitor, silences, pipeline, receivers, render, logger } = parts;
  const alert: KnownAlert = {
    ...{ labels, annotations, startsAt: now, endsAt: 0, generatorUrl: '', fingerprint: '' },
    ...{ updatedAt: now, timedOut: false },
  };
  return {
    inhibition: inhibitor.mutes(labels, now),
    silences: silences.muting(labels, annotations, now),
    routes: matchRoutes(tree, labels).map((route) => {
      const { receiver, groupWaitMs } = route.settings;
      const grouped = groupLabels(route, labels);
      const groupKey = groupKeyOf(route, grouped);
      const group = { route, groupKey, groupLabels: grouped, now };
      const routeLabels = renderRouteLabels(group, [alert], render, logger);
      const { text } = render({
        ...{ receiver, groupKey, groupLabels: grouped, routeLabels, alerts: [alert] },
        ...{ changed: new Set([alert.fingerprint]), reason: 'first notification', now, truncated: 0, previous: {} },
      });
      return {
        receiver,
        integrations: (receivers.get(receiver)?.integrations ?? []).map(({ kind, index }) => `${kind}[${index}]`),
        route: route.key,
        groupKey,
        groupWaitMs,
        resolvedAtOnce: receivers.get(receiver)?.resolvedAtOnce ?? false,
        onlyChanged: receivers.get(receiver)?.onlyChanged ?? false,
        mutedBy: pipeline.mutedIntervals({ route, now })?.names ?? [],
        subject: text('{{ template "__subject" . }}'),
        message: text('{{ template "__text_alert_list" .Alerts.Firing }}'),
      };
    }),
  };
}
