// Dashboards on disk: those that ship (read only), those provisioned from folders, and those saved here, one file each
// with its earlier versions beside it. A saved dashboard hides a shipped one of the same uid until it is deleted.

import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk/disk.ts';
import { replaceFile } from '#base/disk/durable.ts';
import { errorText, OperatingError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import { importDashboard } from './grafana/import.ts';
import type { Dashboard, Text } from './model.ts';
import { toUid } from './uid.ts';

/** Earlier versions kept of a dashboard; the oldest go first. */
const MAX_VERSIONS = 50;

export type Stored = {
  readonly dashboard: Dashboard;
  /** 0 for those that ship or are provisioned. */
  readonly version: number;
  readonly updatedAt: number;
  readonly message: string;
  readonly origin: 'saved' | 'provisioned' | 'shipped';
  /** The folder it lies in; none for the general one. */
  readonly folder?: string;
  /** What another program's API was given, when this version came through it. */
  readonly original?: unknown;
};
export type Entry = {
  readonly uid: string;
  readonly title: Text;
  readonly tags: readonly string[];
  readonly version: number;
  readonly updatedAt: number;
  readonly origin: Stored['origin'];
  readonly folder?: string;
};
export type VersionEntry = { readonly version: number; readonly updatedAt: number; readonly message: string };

type File = {
  readonly version: number;
  readonly updatedAt: number;
  readonly message: string;
  readonly dashboard: unknown;
  readonly folder?: string;
  readonly original?: unknown;
};

/** Where a save puts the dashboard; without a folder it stays where it is, '' is the general one. */
export type Place = { readonly folder?: string | undefined; readonly original?: unknown };

export type LibraryOptions = {
  /** Where saved dashboards go. */
  readonly folder: string;
  /** Read-only folders, later ones win: [shipped, ...provisioned]. */
  readonly shipped: string;
  readonly provisioned: readonly string[];
  readonly disk: Disk;
  readonly clock: Clock;
  readonly logger: Logger;
};

export class Library {
  readonly #options: LibraryOptions;
  /** Read-only files already parsed, by path; read again when they change. */
  readonly #parsed = new Map<string, { readonly modified: number; readonly dashboard: Dashboard | undefined }>();

  constructor(options: LibraryOptions) {
    this.#options = options;
  }

  list(): Entry[] {
    return [...this.#all().values()]
      .map(({ dashboard, version, updatedAt, origin, folder }) => ({
        uid: dashboard.uid,
        title: dashboard.title,
        tags: dashboard.tags ?? [],
        version,
        updatedAt,
        origin,
        ...(folder === undefined ? {} : { folder }),
      }))
      .sort((a, b) => a.uid.localeCompare(b.uid));
  }

  get(uid: string): Stored | undefined {
    return this.#saved(uid) ?? this.#all().get(uid);
  }

  /** `version` is the one the writer has seen; another means that somebody saved in between. */
  save(dashboard: Dashboard, seen: number | undefined, message: string, place: Place = {}): Stored {
    const { disk, folder, clock } = this.#options;
    const before = this.#saved(dashboard.uid);
    const current = before?.version ?? 0;
    if (seen !== undefined && seen !== current) {
      throw new OperatingError(
        'conflict',
        `cannot save dashboard "${dashboard.uid}": it is at version ${current}, this change was made to version ${seen}`,
      );
    }
    const folderUid = (place.folder ?? this.get(dashboard.uid)?.folder) || undefined;
    const stored = {
      ...{ version: current + 1, updatedAt: clock.now(), message, dashboard },
      ...(folderUid === undefined ? {} : { folder: folderUid }),
      ...(place.original === undefined ? {} : { original: place.original }),
    };
    disk.makeFolder(this.#versionsFolder(dashboard.uid));
    disk.makeFolder(folder);
    if (before)
      replaceFile(disk, `${this.#versionsFolder(dashboard.uid)}/${current}.json`, encode(withoutOrigin(before)));
    replaceFile(disk, this.#path(dashboard.uid), encode(stored));
    this.#dropOldVersions(dashboard.uid);
    return { ...stored, origin: 'saved' };
  }

  /** Puts a saved dashboard into another folder; that makes no version of it. */
  move(uid: string, folder: string): boolean {
    const { disk } = this.#options;
    const saved = this.#saved(uid);
    if (!saved) return false;
    const { folder: _, ...rest } = withoutOrigin(saved);
    replaceFile(disk, this.#path(uid), encode(folder === '' ? rest : { ...rest, folder }));
    return true;
  }

  /** The folders that the provisioned files lie in, which are read only. */
  provisionedFolders(): { readonly uid: string; readonly title: string }[] {
    const { disk, provisioned } = this.#options;
    return provisioned.flatMap((from) =>
      disk.list(from).flatMap(({ name, isFolder }) => (isFolder ? [{ uid: toUid(name), title: name }] : [])),
    );
  }

  /** False when there was nothing saved under that name. */
  delete(uid: string): boolean {
    const { disk } = this.#options;
    if (!this.#saved(uid)) return false;
    disk.remove(this.#path(uid));
    disk.remove(this.#versionsFolder(uid));
    disk.syncFolder(this.#options.folder);
    return true;
  }

  versions(uid: string): VersionEntry[] {
    const current = this.#saved(uid);
    const earlier = this.#options.disk.list(this.#versionsFolder(uid)).flatMap(({ name }) => {
      const file = this.#readFile(`${this.#versionsFolder(uid)}/${name}`);
      return file ? [{ version: file.version, updatedAt: file.updatedAt, message: file.message }] : [];
    });
    return [
      ...(current ? [{ version: current.version, updatedAt: current.updatedAt, message: current.message }] : []),
      ...earlier,
    ].sort((a, b) => b.version - a.version);
  }

  version(uid: string, version: number): Stored | undefined {
    const current = this.#saved(uid);
    if (current?.version === version) return current;
    const file = this.#readFile(`${this.#versionsFolder(uid)}/${version}.json`);
    return file && { ...file, dashboard: importDashboard(file.dashboard).dashboard, origin: 'saved' };
  }

  #path(uid: string): string {
    return `${this.#options.folder}/${uid}.json`;
  }

  #versionsFolder(uid: string): string {
    return `${this.#options.folder}/versions/${uid}`;
  }

  #saved(uid: string): Stored | undefined {
    if (!/^[\w-]{1,80}$/.test(uid)) return undefined;
    const file = this.#readFile(this.#path(uid));
    return file && { ...file, dashboard: importDashboard(file.dashboard).dashboard, origin: 'saved' };
  }

  #readFile(path: string): File | undefined {
    const { disk, logger } = this.#options;
    if (!disk.exists(path)) return undefined;
    try {
      const file = JSON.parse(Buffer.from(disk.readFile(path)).toString('utf8')) as File;
      // A file put there by hand holds the dashboard itself.
      return file.dashboard === undefined
        ? { version: 1, updatedAt: disk.modified(path), message: '', dashboard: file }
        : file;
    } catch (error) {
      logger.error('cannot read a dashboard', { file: path, err: errorText(error) });
      return undefined;
    }
  }

  #all(): Map<string, Stored> {
    const { disk, folder, shipped, provisioned } = this.#options;
    const found = new Map<string, Stored>();
    const take = (from: string, origin: 'shipped' | 'provisioned', within?: string): void => {
      for (const { name, isFolder } of disk.list(from)) {
        const path = `${from}/${name}`;
        // One level of folders below a provisioned one are folders of dashboards.
        if (isFolder && origin === 'provisioned' && within === undefined) take(path, origin, toUid(name));
        if (isFolder || !name.endsWith('.json')) continue;
        const dashboard = this.#readOnly(path);
        if (!dashboard) continue;
        const kept = { dashboard, version: 0, updatedAt: disk.modified(path), message: '', origin };
        found.set(dashboard.uid, within === undefined ? kept : { ...kept, folder: within });
      }
    };
    take(shipped, 'shipped');
    for (const one of provisioned) take(one, 'provisioned');
    for (const { name, isFolder } of disk.list(folder)) {
      if (isFolder || !name.endsWith('.json')) continue;
      const stored = this.#saved(name.slice(0, -5));
      if (stored) found.set(stored.dashboard.uid, stored);
    }
    return found;
  }

  #readOnly(path: string): Dashboard | undefined {
    const { disk, logger } = this.#options;
    const modified = disk.modified(path);
    const known = this.#parsed.get(path);
    if (known?.modified === modified) return known.dashboard;
    let dashboard: Dashboard | undefined;
    try {
      dashboard = importDashboard(JSON.parse(Buffer.from(disk.readFile(path)).toString('utf8'))).dashboard;
    } catch (error) {
      logger.error('cannot read a dashboard', { file: path, err: errorText(error) });
    }
    this.#parsed.set(path, { modified, dashboard });
    return dashboard;
  }

  #dropOldVersions(uid: string): void {
    const { disk } = this.#options;
    const folder = this.#versionsFolder(uid);
    const numbers = disk
      .list(folder)
      .map(({ name }) => Number.parseInt(name, 10))
      .filter(Number.isFinite)
      .sort((a, b) => b - a);
    for (const old of numbers.slice(MAX_VERSIONS)) disk.remove(`${folder}/${old}.json`);
  }
}

const withoutOrigin = ({ origin: _, ...file }: Stored): File => file;

const encode = (file: File): Uint8Array => Buffer.from(`${JSON.stringify(file, null, 1)}\n`, 'utf8');
