// Mounted file systems: size, free space, inodes. statfs runs in the thread pool with a time limit, because a dead network mount
// answers never; a mount found stuck is not asked again until its first call returns.

import fs from 'node:fs/promises';
import { errorCode, UserError } from '#base/errors.ts';
import { parseDuration } from '#base/units.ts';
import { Page } from '../../page.ts';
import { compileFilter } from '../../pattern.ts';
import { isMissing } from '../files.ts';
import { type CollectorMaker, type Host, lines } from '../host.ts';

type Mount = {
  readonly device: string;
  readonly point: string;
  readonly type: string;
  readonly major: string;
  readonly minor: string;
  readonly readOnly: boolean;
};
type Space = { size: number; free: number; available: number; files: number; filesFree: number };

export const filesystem: CollectorMaker = (host) => {
  const points = filter(host, 'mount-points');
  const types = filter(host, 'fs-types');
  const timeoutMs = parseDuration(host.flag('collector.filesystem.mount-timeout')) ?? 5000;
  const workers = readWorkers(host.flag('collector.filesystem.stat-workers'));
  const stuck = new Set<string>();
  return {
    async collect() {
      const mounts = readMounts(host).filter((mount) => !points(mount.point) && !types(mount.type));
      const spaces: (Space | string)[] = [];
      const asked = mounts.keys();
      const work = async () => {
        for (const i of asked) {
          const { point } = mounts[i]!;
          spaces[i] = stuck.has(point) ? 'mountpoint timeout' : await statWithin(host, point, timeoutMs, stuck);
        }
      };
      await Promise.all(Array.from({ length: workers }, work));
      const page = new Page();
      const seen = new Set<string>();
      mounts.forEach((mount, i) => {
        const space = spaces[i]!;
        const key = `${mount.device}\xff${mount.point}\xff${mount.type}\xff${typeof space === 'string' ? space : ''}`;
        if (!seen.has(key)) addMount(page, mount, space);
        seen.add(key);
      });
      return page.families();
    },
  };
};

function readWorkers(text: string): number {
  const workers = Number(text);
  if (Number.isInteger(workers) && text.trim() !== '') return Math.max(1, workers);
  throw new UserError(`invalid value ${JSON.stringify(text)} of flag --collector.filesystem.stat-workers`);
}

function filter(host: Host, what: 'mount-points' | 'fs-types'): (name: string) => boolean {
  const include = host.flag(`collector.filesystem.${what}-include`);
  const exclude = include === '' ? host.flag(`collector.filesystem.${what}-exclude`) : '';
  return compileFilter(exclude, include, `collector.filesystem.${what}`);
}

function addMount(page: Page, mount: Mount, space: Space | string): void {
  const failed = typeof space === 'string';
  const labels = [
    'device',
    mount.device,
    'device_error',
    failed ? space : '',
    'fstype',
    mount.type,
    'mountpoint',
    mount.point,
  ];
  page.gauge('node_filesystem_device_error', 'Whether asking the file system failed.', failed ? 1 : 0, labels);
  page.gauge('node_filesystem_readonly', 'Whether the file system is read-only.', mount.readOnly ? 1 : 0, labels);
  page.gauge('node_filesystem_mount_info', 'A mounted file system.', 1, [
    'device',
    mount.device,
    'major',
    mount.major,
    'minor',
    mount.minor,
    'mountpoint',
    mount.point,
  ]);
  if (failed) return;
  page.gauge('node_filesystem_size_bytes', 'Size of the file system.', space.size, labels);
  page.gauge('node_filesystem_free_bytes', 'Free space.', space.free, labels);
  page.gauge('node_filesystem_avail_bytes', 'Space available to ordinary users.', space.available, labels);
  page.gauge('node_filesystem_files', 'Inodes.', space.files, labels);
  page.gauge('node_filesystem_files_free', 'Free inodes.', space.filesFree, labels);
}

async function statWithin(host: Host, point: string, timeoutMs: number, stuck: Set<string>): Promise<Space | string> {
  const answer = fs.statfs(host.root(point)).then(
    (stat): Space => ({
      size: stat.blocks * stat.bsize,
      free: stat.bfree * stat.bsize,
      available: stat.bavail * stat.bsize,
      files: stat.files,
      filesFree: stat.ffree,
    }),
    (error) => systemText(error),
  );
  let timer: { cancel(): void } | undefined;
  const late = new Promise<string>((resolve) => {
    timer = host.clock.after(timeoutMs, () => {
      stuck.add(point);
      resolve('mountpoint timeout');
    });
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    timer?.cancel();
    answer.then(() => stuck.delete(point));
  }
}

/** The C library's words, which is what node_exporter shows. */
function systemText(error: unknown): string {
  const words: Record<string, string> = {
    EACCES: 'permission denied',
    ENOENT: 'no such file or directory',
    EIO: 'input/output error',
    ESTALE: 'stale NFS file handle',
    ENOTCONN: 'transport endpoint is not connected',
    EHOSTDOWN: 'host is down',
    ENODEV: 'no such device',
  };
  const code = errorCode(error) ?? 'error';
  return words[code] ?? code;
}

function readMounts(host: Host): Mount[] {
  let text: string;
  try {
    text = host.files.utf8(host.proc('1/mountinfo'));
  } catch (error) {
    if (!isMissing(error)) throw error;
    text = host.files.utf8(host.proc('self/mountinfo'));
  }
  const root = host.root();
  return lines(text).map((line) => {
    // 36 35 98:0 /root /mount rw,noatime master:1 - ext3 /dev/root rw,errors=continue
    const parts = line.split(' ');
    const separator = parts.indexOf('-', 6);
    const [major = '', minor = ''] = parts[2]!.split(':');
    const point = unescapeMount(parts[4]!);
    const options = `${parts[5]},${parts[separator + 3] ?? ''}`.split(',');
    return {
      device: parts[separator + 2]!,
      point: root !== '/' && point.startsWith(root) ? point.slice(root.length) || '/' : point,
      type: parts[separator + 1]!,
      major,
      minor,
      readOnly: options.includes('ro') || options.includes('emergency_ro'),
    };
  });
}

const unescapeMount = (text: string) => text.replaceAll('\\040', ' ').replaceAll('\\011', '\t');
