// Certificates for tests of TLS, made by openssl: each vouches for itself and for the names it is given.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

export const noOpenssl = spawnSync('openssl', ['version']).status === 0 ? false : 'openssl is not installed';

export type Certificate = { readonly certFile: string; readonly keyFile: string; readonly pem: string };

export function certificate(folder: string, name: string, names = 'DNS:localhost,IP:127.0.0.1'): Certificate {
  const [certFile, keyFile] = [path.join(folder, `${name}.crt`), path.join(folder, `${name}.key`)];
  const asked = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${name}`];
  const made = spawnSync('openssl', [
    ...[...asked, '-keyout', keyFile, '-out', certFile],
    ...['-addext', `subjectAltName=${names}`],
  ]);
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`);
  return { certFile, keyFile, pem: fs.readFileSync(certFile, 'utf8') };
}
