// Folders that dashboards are kept in, as Grafana has them: a name, perhaps inside another one. Kept in one file; the
// folders below a provisioned one are shown beside them and cannot be changed.

import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { replaceFile } from '#base/disk/durable.ts';
import { OperatingError, UserError } from '#base/errors.ts';
import { toUid } from './uid.ts';

export type Folder = {
  readonly uid: string;
  readonly title: string;
  readonly parent?: string;
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Of provisioned files: nothing of it can be changed. */
  readonly readOnly?: boolean;
};

/** The folder of dashboards that are in none, as Grafana calls it. */
export const GENERAL = { uid: 'general', title: 'General' } as const;
const MAX_DEPTH = 4;
const MAX_FOLDERS = 10_000;

export class Folders {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #file: string;
  readonly #provisioned: () => readonly { readonly uid: string; readonly title: string }[];
  #kept: Folder[];

  constructor(
    disk: Disk,
    clock: Clock,
    file: string,
    provisioned: () => readonly { readonly uid: string; readonly title: string }[],
  ) {
    this.#disk = disk;
    this.#clock = clock;
    this.#file = file;
    this.#provisioned = provisioned;
    this.#kept = disk.exists(file) ? (JSON.parse(Buffer.from(disk.readFile(file)).toString('utf8')) as Folder[]) : [];
  }

  /** By title. */
  list(): Folder[] {
    const known = new Set(this.#kept.map(({ uid }) => uid));
    const provisioned = this.#provisioned()
      .filter(({ uid }) => !known.has(uid) && known.add(uid))
      .map((one): Folder => ({ ...one, version: 1, createdAt: 0, updatedAt: 0, readOnly: true }));
    return [...this.#kept, ...provisioned].sort((a, b) => a.title.localeCompare(b.title));
  }

  get(uid: string): Folder | undefined {
    return this.list().find((one) => one.uid === uid);
  }

  create({ uid, title, parent }: { uid?: string | undefined; title: string; parent?: string | undefined }): Folder {
    const all = this.list();
    if (title.trim() === '') throw new UserError('folder title cannot be empty');
    if (uid !== undefined && !/^[\w-]{1,80}$/.test(uid))
      throw new UserError('uid must be 1 to 80 letters, digits, - or _');
    if (all.length >= MAX_FOLDERS) throw new UserError(`there are ${MAX_FOLDERS} folders already`);
    if (uid === GENERAL.uid || all.some((one) => one.uid === uid))
      throw new OperatingError('conflict', 'a folder with the same uid already exists');
    this.#checkPlace({ title, parent }, all);
    const now = this.#clock.now();
    const made: Folder = {
      ...{ uid: uid ?? freeUid(title, all), title, version: 1, createdAt: now, updatedAt: now },
      ...(parent === undefined ? {} : { parent }),
    };
    this.#write([...this.#kept, made]);
    return made;
  }

  /** A new title or another parent ('' for none). Undefined when there is no such folder that can be changed. */
  change(uid: string, change: { title?: string | undefined; parent?: string | undefined }): Folder | undefined {
    const before = this.#kept.find((one) => one.uid === uid);
    if (!before) return undefined;
    const title = change.title ?? before.title;
    if (title.trim() === '') throw new UserError('folder title cannot be empty');
    const parent = (change.parent ?? before.parent) || undefined;
    if (parent !== undefined && this.#chain(parent).includes(uid))
      throw new UserError('a folder cannot be put into itself');
    this.#checkPlace(
      { title, parent },
      this.list().filter((one) => one.uid !== uid),
    );
    const { parent: _, ...rest } = before;
    const changed: Folder = {
      ...{ ...rest, title, version: before.version + 1, updatedAt: this.#clock.now() },
      ...(parent === undefined ? {} : { parent }),
    };
    this.#write(this.#kept.map((one) => (one.uid === uid ? changed : one)));
    return changed;
  }

  /** Removes it and the folders inside; returns the uids of all of them, none when it cannot be removed. */
  delete(uid: string): string[] {
    if (!this.#kept.some((one) => one.uid === uid)) return [];
    const gone = [uid];
    for (const one of gone) gone.push(...this.#kept.filter(({ parent }) => parent === one).map((inner) => inner.uid));
    this.#write(this.#kept.filter((one) => !gone.includes(one.uid)));
    return gone;
  }

  #checkPlace(wanted: { title: string; parent?: string | undefined }, others: readonly Folder[]): void {
    const { title, parent } = wanted;
    if (parent !== undefined && !others.some((one) => one.uid === parent && !one.readOnly))
      throw new UserError(`there is no folder "${parent}" to put it into`);
    if (parent !== undefined && this.#chain(parent).length >= MAX_DEPTH)
      throw new UserError(`folders can be at most ${MAX_DEPTH} deep`);
    if (others.some((one) => one.title === title && one.parent === parent))
      throw new OperatingError('conflict', 'a folder with the same name already exists in the current location');
  }

  /** A folder and those around it, from the inside. */
  #chain(uid: string): string[] {
    const chain: string[] = [];
    for (let at: string | undefined = uid; at !== undefined && !chain.includes(at); ) {
      chain.push(at);
      at = this.#kept.find((one) => one.uid === at)?.parent;
    }
    return chain;
  }

  #write(next: Folder[]): void {
    this.#disk.makeFolder(this.#file.replace(/\/[^/]*$/, ''));
    replaceFile(this.#disk, this.#file, Buffer.from(`${JSON.stringify(next, null, 1)}\n`, 'utf8'));
    this.#kept = next;
  }
}

function freeUid(title: string, taken: readonly Folder[]): string {
  const wanted = toUid(title).slice(0, 36);
  let uid = wanted;
  for (let i = 2; uid === GENERAL.uid || taken.some((one) => one.uid === uid); i++) uid = `${wanted}-${i}`;
  return uid;
}
