// A TLS section of the configuration as options of a connection; its files are read anew for each.

import type { ConnectionOptions } from 'node:tls';
import type { Disk } from '#base/disk/disk.ts';
import type { TlsConfig } from '#clients/http/config.ts';

export function tlsOptions(
  config: TlsConfig | undefined,
  disk: Disk,
  resolve: (file: string) => string = (file) => file,
): ConnectionOptions {
  if (!config) return {};
  const content = (text: string | undefined, file: string | undefined) =>
    text ?? (file === undefined ? undefined : Buffer.from(disk.readFile(resolve(file))));
  const ca = content(config.ca, config.caFile);
  const cert = content(config.cert, config.certFile);
  const key = content(config.key, config.keyFile);
  return {
    rejectUnauthorized: !config.insecureSkipVerify,
    ...(config.serverName ? { servername: config.serverName } : {}),
    ...(ca ? { ca } : {}),
    ...(cert ? { cert } : {}),
    ...(key ? { key } : {}),
  };
}
