// All dashboards that ship.

import type { Definition } from './build.ts';
import { catalog } from './catalog.ts';
import { containers, host, hosts, kubernetes, pharos } from './hosts.ts';
import { clickhouse, elasticsearch, haproxy, kafka, mysql, nginx, postgres, redis } from './middleware.ts';
import { ingress, istio, linkerd } from './traffic.ts';

export const DEFINITIONS: readonly Definition[] = [
  host,
  hosts,
  containers,
  kubernetes,
  pharos,
  ingress,
  linkerd,
  istio,
  mysql,
  postgres,
  redis,
  haproxy,
  nginx,
  kafka,
  elasticsearch,
  clickhouse,
  ...catalog,
];
