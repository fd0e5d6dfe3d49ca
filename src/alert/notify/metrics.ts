// Counters of notifications, by integration and, if asked for, by receiver. They are there from the start with 0, so that the
// first failure of an integration is an increase.

import type { Counter, HistogramMetric, Registry, Vec } from '#model/registry.ts';
import { RECEIVER_KINDS } from './kinds.ts';

/** Where a message went. */
export type Target = { readonly kind: string; readonly receiver: string };

export type NotifyMetrics = {
  readonly attempt: (target: Target) => void;
  readonly fail: (target: Target, reason: FailureReason) => void;
  readonly suppress: (reason: string, count: number) => void;
  readonly latency: (target: Target, seconds: number) => void;
  readonly request: (target: Target) => void;
  readonly failRequest: (target: Target) => void;
  /** Makes the series of the receivers in force. */
  readonly initialize: (targets: readonly Target[]) => void;
};

const FAILURES = [
  'other',
  'clientError',
  'serverError',
  'contextCanceled',
  'contextDeadlineExceeded',
  'authError',
  'rateLimited',
] as const;

export type FailureReason = (typeof FAILURES)[number];

export function notifyMetrics(registry: Registry, byReceiver: boolean): NotifyMetrics {
  const name = (rest: string) => `alertmanager_notification${rest}`;
  const labels = ['integration', ...(byReceiver ? ['receiver_name'] : [])];
  const valuesOf = ({ kind, receiver }: Target) => (byReceiver ? [kind, receiver] : [kind]);
  const attempts = registry.counterVec(name('s_total'), 'The total number of attempted notifications.', labels);
  const failed = registry.counterVec(name('s_failed_total'), 'The total number of failed notifications.', [
    ...labels,
    'reason',
  ]);
  const suppressed = registry.counterVec(
    name('s_suppressed_total'),
    'The total number of notifications suppressed for being silenced, inhibited, outside of active time intervals or within muted time intervals.',
    ['reason'],
  );
  const latency: Vec<HistogramMetric> = registry.histogramVec(
    name('_latency_seconds'),
    'The latency of notifications in seconds.',
    labels,
    [1, 5, 10, 15, 20],
  );
  const requests: Vec<Counter> = registry.counterVec(
    name('_requests_total'),
    'The total number of attempted notification requests.',
    labels,
  );
  const requestsFailed = registry.counterVec(
    name('_requests_failed_total'),
    'The total number of failed notification requests.',
    labels,
  );
  const initialize = (targets: readonly Target[]) => {
    for (const target of targets) {
      const values = valuesOf(target);
      for (const vec of [attempts, requests, requestsFailed]) vec.with(...values);
      latency.with(...values);
      for (const reason of FAILURES) failed.with(...values, reason);
    }
  };
  if (!byReceiver) initialize(RECEIVER_KINDS.map(({ kind }) => ({ kind, receiver: '' })));
  return {
    attempt: (target) => attempts.with(...valuesOf(target)).add(),
    fail: (target, reason) => failed.with(...valuesOf(target), reason).add(),
    suppress: (reason, count) => suppressed.with(reason).add(count),
    latency: (target, seconds) => latency.with(...valuesOf(target)).observe(seconds),
    request: (target) => requests.with(...valuesOf(target)).add(),
    failRequest: (target) => requestsFailed.with(...valuesOf(target)).add(),
    initialize: (targets) => byReceiver && initialize(targets),
  };
}
