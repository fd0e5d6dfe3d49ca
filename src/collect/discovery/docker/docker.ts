// Targets from the containers of a Docker (or Podman) host: one per network and TCP port.

import { boolean, duration, map, object, string, withDefault } from '#base/config/schema.ts';
import { checkHttpClient, type HttpClientConfig, httpClientFields, httpClientFrom } from '#clients/http/config.ts';
import { provider } from '../provider.ts';
import { refreshing } from '../refresh.ts';
import {
  type DockerApi,
  dockerApi,
  type Filter,
  filters,
  hostField,
  hostProblem,
  joinHostPort,
  type LabelSet,
  networkLabels,
  portField,
  prefixed,
} from './api.ts';

export type DockerConfig = {
  readonly host: string;
  readonly port: number;
  readonly filters: readonly Filter[];
  readonly hostNetworkingHost: string;
  readonly matchFirstNetwork: boolean;
  readonly refreshIntervalMs: number;
  readonly http: HttpClientConfig;
};

type Endpoint = { readonly NetworkID?: string; readonly IPAddress?: string; readonly GlobalIPv6Address?: string };
type Container = {
  readonly Id: string;
  readonly Names?: readonly string[] | null;
  readonly Image?: string;
  readonly ImageID?: string;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly HostConfig?: { readonly NetworkMode?: string };
  readonly NetworkSettings?: { readonly Networks?: Readonly<Record<string, Endpoint | null>> | null };
  readonly Ports?:
    | readonly {
        readonly PrivatePort: number;
        readonly PublicPort?: number;
        readonly IP?: string;
        readonly Type: string;
      }[]
    | null;
};

const META = '__meta_docker_';

export const dockerProvider = provider<DockerConfig>({
  key: 'docker_sd_configs',
  schema: (resolve) =>
    map(
      object(
        {
          ...httpClientFields,
          host: hostField,
          port: portField,
          filters,
          host_networking_host: withDefault(string(), 'localhost'),
          match_first_network: withDefault(boolean(), true),
          refresh_interval: withDefault(duration(), 60_000),
        },
        (value, report) => {
          checkHttpClient(value, report);
          const problem = hostProblem(value.host);
          if (problem) report('host', problem);
        },
      ),
      (value) => ({
        host: value.host!,
        port: value.port,
        filters: value.filters,
        hostNetworkingHost: value.host_networking_host,
        matchFirstNetwork: value.match_first_network,
        refreshIntervalMs: value.refresh_interval,
        http: httpClientFrom(value, resolve),
      }),
    ),
  create(config, context) {
    const api = dockerApi(config.host, config.http, config.refreshIntervalMs, context);
    return refreshing(
      {
        mechanism: 'docker',
        intervalMs: config.refreshIntervalMs,
        close: api.close,
        refresh: async () => [{ source: 'Docker', targets: await listTargets(config, api), labels: {} }],
      },
      context,
    );
  },
});

async function listTargets(config: DockerConfig, api: DockerApi): Promise<LabelSet[]> {
  const listed = (await api.get('/containers/json', config.filters)) as readonly Container[];
  // Podman's list says nothing of the network mode; asking for the container does.
  const containers = await Promise.all(
    listed.map(async (container) => {
      if (container.HostConfig) return container;
      const { HostConfig } = (await api.get(`/containers/${container.Id}/json`)) as Container;
      return { ...container, HostConfig: HostConfig ?? {} };
    }),
  );
  const networks = await networkLabels(api, META);
  const byId = new Map(containers.map((container) => [container.Id, container]));
  return containers.flatMap((container) => containerTargets(container, byId, networks, config));
}

function containerTargets(
  container: Container,
  byId: ReadonlyMap<string, Container>,
  networks: ReadonlyMap<string, LabelSet>,
  config: DockerConfig,
): LabelSet[] {
  const name = container.Names?.[0];
  if (name === undefined) return [];
  const mode = container.HostConfig?.NetworkMode ?? '';
  const common: LabelSet = {
    [`${META}container_id`]: container.Id,
    [`${META}container_name`]: name,
    [`${META}container_network_mode`]: mode,
    [`${META}container_image`]: container.Image ?? '',
    [`${META}container_image_id`]: container.ImageID ?? '',
    ...prefixed(`${META}container_label_`, container.Labels),
  };
  const ports = (container.Ports ?? []).filter((port) => port.Type === 'tcp');
  return endpointsOf(container, byId, config.matchFirstNetwork).flatMap((endpoint): LabelSet[] => {
    const ip = endpoint.IPAddress || endpoint.GlobalIPv6Address || '';
    const labels = { ...common, ...networks.get(endpoint.NetworkID ?? ''), [`${META}network_ip`]: ip };
    if (ports.length === 0) {
      const address = mode === 'host' ? config.hostNetworkingHost : joinHostPort(ip, config.port);
      return [{ ...labels, __address__: address }];
    }
    return ports.map((port) => ({
      ...labels,
      __address__: joinHostPort(ip, port.PrivatePort),
      [`${META}port_private`]: String(port.PrivatePort),
      ...(port.PublicPort
        ? { [`${META}port_public`]: String(port.PublicPort), [`${META}port_public_ip`]: port.IP ?? '' }
        : {}),
    }));
  });
}

/** A container may live in the network of another one, that one in a third. */
function endpointsOf(container: Container, byId: ReadonlyMap<string, Container>, onlyFirst: boolean): Endpoint[] {
  const seen = new Set<string>();
  let owner: Container | undefined = container;
  while (owner && !seen.has(owner.Id)) {
    seen.add(owner.Id);
    const entries = Object.entries(owner.NetworkSettings?.Networks ?? {}).filter(([, endpoint]) => endpoint !== null);
    if (entries.length > 0) {
      const sorted = entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint!);
      return onlyFirst ? sorted.slice(0, 1) : sorted;
    }
    // Podman lists no network for a container in its host's network; Docker lists one named so.
    if (owner.HostConfig?.NetworkMode === 'host') return [{}];
    owner = byId.get(/^container:(.+)$/.exec(owner.HostConfig?.NetworkMode ?? '')?.[1] ?? '');
  }
  return [];
}
