// /api/v1/alertmanagers: where alerts are sent to.

import { type Route, success } from './http.ts';

export type Alertmanagers = { active(): readonly string[]; dropped(): readonly string[] };

export const alertmanagerRoutes = (alertmanagers: Alertmanagers): Route[] => [
  {
    methods: ['GET'],
    pattern: '/api/v1/alertmanagers',
    handler: () => {
      const list = (urls: readonly string[]) => urls.map((url) => ({ url }));
      return success({
        activeAlertmanagers: list(alertmanagers.active()),
        droppedAlertmanagers: list(alertmanagers.dropped()),
      });
    },
  },
];
