// All discovery providers, and those of Prometheus that Pharos does not have: a configuration that asks for one of them is
// refused with the way around, never ignored.

import { list, type Schema } from '#base/config/schema.ts';
import { consulProvider } from './consul/consul.ts';
import { dnsProvider } from './dns/dns.ts';
import { dockerProvider } from './docker/docker.ts';
import { dockerSwarmProvider } from './dockerswarm/dockerswarm.ts';
import { etcdProvider } from './etcd/etcd.ts';
import { fileProvider } from './file/file.ts';
import { httpProvider } from './http/http.ts';
import { kubernetesProvider } from './kubernetes/kubernetes.ts';
import type { Provider, ResolvePath } from './provider.ts';
import { staticProvider } from './static/static.ts';

export const PROVIDERS: readonly Provider<unknown>[] = [
  staticProvider,
  fileProvider,
  httpProvider,
  dnsProvider,
  kubernetesProvider,
  dockerProvider,
  dockerSwarmProvider,
  consulProvider,
  etcdProvider,
];

const ABSENT = [
  'aws',
  'azure',
  'digitalocean',
  'ec2',
  'ecs',
  'elasticache',
  'eureka',
  'gce',
  'hetzner',
  'ionos',
  'kuma',
  'lightsail',
  'linode',
  'marathon',
  'msk',
  'nerve',
  'nomad',
  'oci',
  'openstack',
  'outscale',
  'ovhcloud',
  'puppetdb',
  'rds',
  'scaleway',
  'serverset',
  'stackit',
  'triton',
  'uyuni',
  'vultr',
];

/** What a job asks to discover: plain data. */
export type DiscoveryConfig = { readonly key: string; readonly config: unknown };

type DiscoveryFields = Readonly<Record<string, Schema<readonly unknown[]>>>;

/** The fields of a section that can discover (`scrape_configs`, `alertmanagers`). */
export function discoveryFields(resolve: ResolvePath): DiscoveryFields {
  const fields: Record<string, Schema<readonly unknown[]>> = {};
  for (const { key, schema } of PROVIDERS) fields[key] = list(schema(resolve));
  for (const name of ABSENT) fields[`${name}_sd_configs`] = absent(name);
  return fields;
}

export function discoveriesOf(section: Readonly<Record<string, unknown>>): DiscoveryConfig[] {
  return PROVIDERS.flatMap(({ key }) =>
    ((section[key] ?? []) as readonly unknown[]).map((config) => ({ key, config })),
  );
}

export function providerOf(key: string): Provider<unknown> | undefined {
  return PROVIDERS.find((provider) => provider.key === key);
}

function absent(name: string): Schema<readonly unknown[]> {
  return {
    expected: 'nothing',
    fallback: () => [],
    read(node, path, reading) {
      reading.problem(
        node,
        path,
        `discovery by ${name} is not built in; run a small HTTP service that lists the targets and use http_sd_configs`,
      );
      return undefined;
    },
  };
}
