// Discovery's contract: providers turn the outside world into target groups; scraping and alert sending consume them.

/** Label sets found together, with labels common to all of them. A group with no targets withdraws its source. */
export type TargetGroup = {
  /** Unique within one provider instance: a file, a Kubernetes object, a query. */
  readonly source: string;
  readonly targets: readonly Readonly<Record<string, string>>[];
  readonly labels: Readonly<Record<string, string>>;
};

export interface Discoverer {
  /** Calls `update` with the groups that changed until the signal is aborted; recovers from errors by itself. */
  run(update: (groups: readonly TargetGroup[]) => void, signal: AbortSignal): Promise<void>;
}
