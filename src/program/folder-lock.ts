// One server per data folder: the file `lock` names the process that uses it, as Prometheus has a file of that name. A lock
// that Prometheus holds is seen too. One that a killed process has left is replaced.

import fs from 'node:fs';
import path from 'node:path';
import { errorCode, OperatingError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';
import type { Registry } from '#model/registry.ts';

export type FolderLock = {
  release(): void;
};

const DISABLED = -1;
const REPLACED = 0;
const CLEAN = 1;

/** Throws `locked` if another process uses the folder. `subsystem` is Prometheus' word for what it holds: tsdb, agent. */
export function lockFolder(
  folder: string,
  subsystem: 'tsdb' | 'agent',
  isDisabled: boolean,
  registry: Registry,
  logger: Logger,
): FolderLock {
  const start = registry.gauge(
    `prometheus_${subsystem}_clean_start`,
    '-1: lockfile is disabled. 0: a lockfile from a previous execution was replaced. 1: lockfile creation was clean',
  );
  start.set(DISABLED);
  if (isDisabled) return { release: () => {} };
  fs.mkdirSync(folder, { recursive: true });
  const file = path.join(path.resolve(folder), 'lock');
  const own = ownText();
  let isClean = true;
  for (let tries = 0; ; tries++) {
    try {
      fs.writeFileSync(file, own, { flag: 'wx' });
      break;
    } catch (error) {
      if (errorCode(error) !== 'EEXIST' || tries === 3) {
        throw new OperatingError('locked', `cannot lock the data folder: ${file} cannot be written`, { cause: error });
      }
    }
    const holder = holderOf(file);
    if (holder !== undefined) {
      throw new OperatingError(
        'locked',
        `cannot lock the data folder ${path.resolve(folder)}: process ${holder} uses it`,
      );
    }
    isClean = false;
    fs.rmSync(file, { force: true });
  }
  if (!isClean) logger.warn('A lockfile from a previous execution already existed. It was replaced', { file });
  start.set(isClean ? CLEAN : REPLACED);
  return {
    release: () => {
      if (readText(file) === own) fs.rmSync(file, { force: true });
    },
  };
}

/** A process id alone may be another process' by now: with when it started it is not. */
const ownText = (): string => `${process.pid} ${startOf(process.pid) ?? ''}\n`;

/** The process that holds a lock file, if it still runs. */
function holderOf(file: string): number | undefined {
  const [first = '', start = ''] = readText(file).trim().split(' ');
  const pid = Number(first);
  if (Number.isInteger(pid) && pid > 0 && isRunning(pid) && (start === '' || startOf(pid) === start)) return pid;
  return lockerOf(file);
}

function readText(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

/** When a process started, in the kernel's ticks; undefined where there is no /proc. */
function startOf(pid: number): string | undefined {
  const text = readText(`/proc/${pid}/stat`);
  return text === '' ? undefined : text.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}

/** Who holds a lock of the operating system on a file, as Prometheus does. */
function lockerOf(file: string): number | undefined {
  let inode: number;
  try {
    inode = fs.statSync(file).ino;
  } catch {
    return undefined;
  }
  for (const line of readText('/proc/locks').split('\n')) {
    const match = /^\d+: (?:FLOCK|POSIX|OFDLCK)\s+\S+\s+\S+\s+(-?\d+) [0-9a-f]+:[0-9a-f]+:(\d+) /.exec(line);
    if (match && Number(match[2]) === inode) return Number(match[1]);
  }
  return undefined;
}
