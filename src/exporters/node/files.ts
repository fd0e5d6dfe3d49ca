// Reads the small text files of /proc and /sys: synchronously, into one buffer that is used again, which costs a fraction of what
// promises and fresh buffers cost. A file that hangs is the business of watch.ts, not of this one.

import fs from 'node:fs';
import { errorCode, OperatingError } from '#base/errors.ts';

const INITIAL_BUFFER_BYTES = 65_536;
const MAX_FILE_BYTES = 64 * 1024 * 1024;

export class HostFiles {
  #buffer = Buffer.allocUnsafe(INITIAL_BUFFER_BYTES);

  /** The content of a table of ASCII; throws an operating error with the system's code. */
  text(path: string): string {
    const length = this.#read(path);
    return this.#buffer.toString('latin1', 0, length);
  }

  /** As `text`, decoded as UTF-8: for what people or hardware wrote. */
  utf8(path: string): string {
    const length = this.#read(path);
    return this.#buffer.toString('utf8', 0, length);
  }

  /** The content without white space at the ends, or undefined if the file cannot be read. */
  maybe(path: string): string | undefined {
    try {
      return this.utf8(path).trim();
    } catch {
      return undefined;
    }
  }

  /** A file that holds one number; undefined if it cannot be read or holds none. */
  number(path: string): number | undefined {
    const text = this.maybe(path);
    if (text === undefined || text === '') return undefined;
    const value = Number(text);
    return Number.isNaN(value) ? undefined : value;
  }

  /** Names in a folder, sorted; throws if it cannot be read. */
  list(path: string): string[] {
    try {
      return fs.readdirSync(path).sort();
    } catch (error) {
      throw failed('list', path, error);
    }
  }

  /** Names in a folder; empty if it cannot be read. */
  listMaybe(path: string): string[] {
    try {
      return fs.readdirSync(path).sort();
    } catch {
      return [];
    }
  }

  exists(path: string): boolean {
    return fs.existsSync(path);
  }

  isFolder(path: string): boolean {
    return fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  }

  realPath(path: string): string | undefined {
    try {
      return fs.realpathSync(path);
    } catch {
      return undefined;
    }
  }

  link(path: string): string | undefined {
    try {
      return fs.readlinkSync(path);
    } catch {
      return undefined;
    }
  }

  /** "major:minor" of the device that holds a file; undefined if it cannot be asked. */
  device(path: string): string | undefined {
    const dev = fs.statSync(path, { throwIfNoEntry: false })?.dev;
    // The numbers as the C library packs them.
    return dev === undefined ? undefined : `${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`;
  }

  modifiedSeconds(path: string): number {
    try {
      return Number(fs.statSync(path, { bigint: true }).mtimeNs) / 1e9;
    } catch (error) {
      throw failed('stat', path, error);
    }
  }

  #read(path: string): number {
    let fd: number;
    try {
      fd = fs.openSync(path, 'r');
    } catch (error) {
      throw failed('open', path, error);
    }
    try {
      let length = 0;
      for (;;) {
        const count = fs.readSync(fd, this.#buffer, length, this.#buffer.length - length, null);
        length += count;
        if (count === 0) return length;
        if (length === this.#buffer.length) this.#grow(path);
        // Pseudo files give everything that fits in one read; a second call only confirms the end of long ones.
        else if (length < 1024) return length;
      }
    } catch (error) {
      throw error instanceof OperatingError ? error : failed('read', path, error);
    } finally {
      fs.closeSync(fd);
    }
  }

  #grow(path: string): void {
    if (this.#buffer.length >= MAX_FILE_BYTES)
      throw new OperatingError('too_large', `cannot read ${path}: it is larger than ${MAX_FILE_BYTES} bytes`);
    const larger = Buffer.allocUnsafe(this.#buffer.length * 4);
    this.#buffer.copy(larger);
    this.#buffer = larger;
  }
}

/** Whether an error says that a file or folder does not exist. */
export const isMissing = (error: unknown): boolean => errorCode(error) === 'ENOENT';

function failed(verb: string, path: string, error: unknown): OperatingError {
  const code = errorCode(error) ?? 'read';
  return new OperatingError(code, `cannot ${verb} ${path}: ${code}`);
}
