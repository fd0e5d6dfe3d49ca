// The alert as rules raise it and the alertmanager takes it. Times are milliseconds since the epoch.

import type { Labels } from './labels.ts';

export type Alert = {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly startsAt: number;
  /** In the past: resolved. */
  readonly endsAt: number;
  readonly generatorUrl: string;
};

/** Where rules hand over alerts: the alertmanager in the box, or the queues that send to others. */
export interface AlertSink {
  send(alerts: readonly Alert[]): void;
}
