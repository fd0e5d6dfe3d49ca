// What has been worked out for label sets, by the sets as objects: series of a head come as the same ones from query to query, so a
// join need not look at their texts again. What nobody holds any more is forgotten.

import type { Labels } from '#model/labels.ts';

/** Questions that are remembered. */
const MAX_QUESTIONS = 100;

export class LabelMemo {
  readonly #answers = new Map<string, WeakMap<Labels, unknown>>();

  /** Answers to one question, which the text says completely. */
  of<T>(question: string): WeakMap<Labels, T> {
    let answers = this.#answers.get(question);
    if (answers) return answers as WeakMap<Labels, T>;
    if (this.#answers.size >= MAX_QUESTIONS)
      for (const oldest of this.#answers.keys()) if (this.#answers.delete(oldest)) break;
    answers = new WeakMap();
    this.#answers.set(question, answers);
    return answers as WeakMap<Labels, T>;
  }
}
