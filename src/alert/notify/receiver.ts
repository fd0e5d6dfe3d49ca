// The contract between the notification pipeline and the receivers: one file per kind of receiver implements it.

import type { Labels } from '#model/labels.ts';
import type { KnownAlert } from '../store.ts';
import type { NotifyReason } from './log.ts';
import type { FailureReason } from './metrics.ts';

/** Everything a message is made of. */
export type Notification = {
  readonly receiver: string;
  readonly groupKey: string;
  readonly groupLabels: Labels;
  readonly routeLabels: Readonly<Record<string, string>>;
  /** Firing and resolved, sorted as upstream sorts them. */
  readonly alerts: readonly KnownAlert[];
  /** Fingerprints of those that the receiver has not been told of in this state. */
  readonly changed: ReadonlySet<string>;
  readonly reason: NotifyReason;
  readonly now: number;
  /** How many alerts were left out by the receiver's limit. */
  readonly truncated: number;
  /** What this receiver stored with its last notification of the group. */
  readonly previous: Readonly<Record<string, string>>;
};

export type Delivery =
  | { readonly ok: true; readonly data?: Readonly<Record<string, string>> }
  /** `retry`: trying again may help. */
  | { readonly ok: false; readonly retry: boolean; readonly reason: FailureReason; readonly message: string };

/** One configured way to reach somebody. */
export interface Integration {
  /** 'webhook', 'email' ... */
  readonly kind: string;
  /** Position among the receiver's integrations of this kind. */
  readonly index: number;
  readonly sendResolved: boolean;
  notify(notification: Notification, signal: AbortSignal): Promise<Delivery>;
}

export type Receiver = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Its groups are flushed when an alert resolves, not only when their interval is over. */
  readonly resolvedAtOnce: boolean;
  /** Its messages leave out the alerts that it knows already, except for repetitions. */
  readonly onlyChanged: boolean;
  readonly integrations: readonly Integration[];
};
