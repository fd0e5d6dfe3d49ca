// Programs of others that tests run against. A test whose peer is not installed skips itself, naming Debian's package;
// PHAROS_REQUIRE_PEERS=1 makes that a failure.

import { existsSync } from 'node:fs';

const FOLDERS = ['/usr/bin', '/usr/sbin', '/usr/local/bin', '/bin', '/sbin'];

export type Peer = {
  /** The program's path; '' when it is not there. */
  readonly path: string;
  /** For a test's options: the reason to skip it, or false. */
  readonly skip: string | false;
};

export function peer(name: string, debianPackage: string): Peer {
  const path = FOLDERS.map((folder) => `${folder}/${name}`).find((candidate) => existsSync(candidate)) ?? '';
  if (path === '' && process.env['PHAROS_REQUIRE_PEERS'] === '1') {
    throw new Error(`${name} is missing: install Debian's package ${debianPackage}`);
  }
  return { path, skip: path === '' ? `${name} is not installed (Debian: ${debianPackage})` : false };
}
