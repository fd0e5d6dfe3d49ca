// A configured TLS section as options of Node's connections; files are read each time, so that new certificates are taken.

import type { Disk } from '#base/disk/disk.ts';
import type { TlsConfig } from './config.ts';

export function tlsOptions(tls: TlsConfig | undefined, disk: Disk): Record<string, unknown> {
  if (!tls) return {};
  const read = (file: string | undefined) =>
    file === undefined ? undefined : Buffer.from(disk.readFile(file)).toString('utf8');
  const ca = tls.ca ?? read(tls.caFile);
  const cert = tls.cert ?? read(tls.certFile);
  const key = tls.key ?? read(tls.keyFile);
  return {
    rejectUnauthorized: !tls.insecureSkipVerify,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(tls.serverName && { servername: tls.serverName }),
    ...(tls.minVersion && { minVersion: tls.minVersion }),
    ...(tls.maxVersion && { maxVersion: tls.maxVersion }),
  };
}
