// Annotations that people and jobs leave ("deployed 1.4"): a moment or a stretch of time with a text and tags, on one
// dashboard, one of its panels, or on none, found by tags. Kept in one file; the oldest go first.

import type { Disk } from '#base/disk/disk.ts';
import { replaceFile } from '#base/disk/durable.ts';
import { errorText } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';

export type Note = {
  readonly id: number;
  /** Of one dashboard; none for those that are found by their tags. */
  readonly dashboard?: string;
  readonly panel?: number;
  readonly fromMs: number;
  /** The same as `fromMs` for a moment. */
  readonly toMs: number;
  readonly text: string;
  readonly tags: readonly string[];
  readonly user: string;
  readonly createdAt: number;
  readonly updatedAt: number;
};

export type NoteSearch = {
  readonly fromMs?: number;
  readonly toMs?: number;
  readonly dashboard?: string | undefined;
  readonly panel?: number | undefined;
  readonly tags?: readonly string[];
  /** One of the tags is enough. */
  readonly anyTag?: boolean;
  readonly limit?: number;
};

const MAX_NOTES = 10_000;
export const DEFAULT_NOTE_LIMIT = 100;

export class Notes {
  readonly #disk: Disk;
  readonly #file: string;
  #list: readonly Note[] = [];

  constructor(disk: Disk, file: string, logger: Logger) {
    this.#disk = disk;
    this.#file = file;
    if (!disk.exists(file)) return;
    try {
      this.#list = JSON.parse(Buffer.from(disk.readFile(file)).toString('utf8')) as Note[];
    } catch (error) {
      logger.error('cannot read the annotations', { file, err: errorText(error) });
    }
  }

  /** The latest first. */
  find({ fromMs, toMs, dashboard, panel, tags = [], anyTag, limit = DEFAULT_NOTE_LIMIT }: NoteSearch): Note[] {
    return this.#list
      .filter(
        (one) =>
          (fromMs === undefined || one.toMs >= fromMs) &&
          (toMs === undefined || one.fromMs <= toMs) &&
          (dashboard === undefined || one.dashboard === dashboard) &&
          (panel === undefined || one.panel === panel) &&
          (tags.length === 0 ||
            (anyTag ? tags.some((tag) => one.tags.includes(tag)) : tags.every((tag) => one.tags.includes(tag)))),
      )
      .sort((a, b) => b.fromMs - a.fromMs)
      .slice(0, limit);
  }

  get(id: number): Note | undefined {
    return this.#list.find((one) => one.id === id);
  }

  add(note: Omit<Note, 'id'>): Note {
    const added = { ...note, id: Math.max(0, ...this.#list.map(({ id }) => id)) + 1 };
    this.#write([...this.#list, added].slice(-MAX_NOTES));
    return added;
  }

  change(id: number, change: Partial<Omit<Note, 'id'>>): Note | undefined {
    const before = this.get(id);
    if (!before) return undefined;
    const changed = { ...before, ...change };
    this.#write(this.#list.map((one) => (one.id === id ? changed : one)));
    return changed;
  }

  delete(id: number): boolean {
    if (!this.get(id)) return false;
    this.#write(this.#list.filter((one) => one.id !== id));
    return true;
  }

  #write(next: readonly Note[]): void {
    this.#disk.makeFolder(this.#file.replace(/\/[^/]*$/, ''));
    replaceFile(this.#disk, this.#file, Buffer.from(`${JSON.stringify(next, null, 1)}\n`, 'utf8'));
    this.#list = next;
  }
}
