// A first-in first-out queue with a named limit, over a ring that grows up to it. Nothing in the program queues
// without one: `push` says whether there was room.

import { assert } from './assert.ts';

export class Queue<T> {
  readonly limit: number;
  #ring: (T | undefined)[] = new Array(16);
  #head = 0;
  #length = 0;

  constructor(limit: number) {
    assert(limit > 0, `queue limit ${limit}`);
    this.limit = limit;
  }

  get length(): number {
    return this.#length;
  }

  /** False, and nothing is queued, when the queue is full. */
  push(item: T): boolean {
    if (this.#length === this.limit) return false;
    if (this.#length === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#length) % this.#ring.length] = item;
    this.#length++;
    return true;
  }

  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const item = this.#ring[this.#head];
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) % this.#ring.length;
    this.#length--;
    return item;
  }

  peek(): T | undefined {
    return this.#length === 0 ? undefined : this.#ring[this.#head];
  }

  #grow(): void {
    const next: (T | undefined)[] = new Array(Math.min(this.limit, this.#ring.length * 2));
    for (let i = 0; i < this.#length; i++) next[i] = this.#ring[(this.#head + i) % this.#ring.length];
    this.#ring = next;
    this.#head = 0;
  }
}
