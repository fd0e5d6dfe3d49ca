// The last probes with what they noted, for people who look for why one failed. A failure that has to make room goes to a list of
// its own, so that successes do not push it out.

export type Probed = {
  readonly id: number;
  readonly module: string;
  readonly target: string;
  readonly ok: boolean;
  readonly report: string;
};

export class ProbeHistory {
  readonly #limit: number;
  #next = 0;
  #recent: Probed[] = [];
  #failures: Probed[] = [];

  /** Keeps so many probes, and as many failures before them. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  add(probed: Omit<Probed, 'id'>): void {
    this.#recent.push({ id: this.#next++, ...probed });
    if (this.#recent.length <= this.#limit) return;
    const oldest = this.#recent.shift()!;
    if (oldest.ok || this.#limit === 0) return;
    this.#failures.push(oldest);
    if (this.#failures.length > this.#limit) this.#failures.shift();
  }

  /** Oldest first. */
  list(): readonly Probed[] {
    return [...this.#failures, ...this.#recent];
  }

  byId(id: number): Probed | undefined {
    return this.list().find((probed) => probed.id === id);
  }

  /** The newest of a target, of any module if none is named. */
  byTarget(target: string, module: string): Probed | undefined {
    return this.list().findLast((probed) => probed.target === target && (module === '' || probed.module === module));
  }
}
