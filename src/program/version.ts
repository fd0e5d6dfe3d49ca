// The version, from package.json, in the shapes in which Prometheus tells it.

import packageJson from '../../package.json' with { type: 'json' };

export const VERSION: string = packageJson.version;

/** The release of Prometheus whose API is offered, for clients that switch on it. */
export const PROMETHEUS_VERSION = '3.14.0';

export const buildInfo = () => ({
  version: PROMETHEUS_VERSION,
  revision: `pharos-${VERSION}`,
  branch: 'main',
  buildUser: 'pharos',
  buildDate: '',
  goVersion: `node${process.versions.node}`,
});

/** The release of Alertmanager whose API is offered. */
export const alertmanagerBuildInfo = () => ({ ...buildInfo(), version: '0.34.0' });

export const versionText = (): string =>
  `pharos, version ${VERSION} (offers the API of Prometheus ${PROMETHEUS_VERSION})\n` +
  `  runtime:  Node ${process.versions.node}\n  platform: ${process.platform}/${process.arch}\n`;
