// Targets from a Docker swarm: its nodes, its services, or the tasks of its services.

import { duration, map, object, optional, string, withDefault } from '#base/config/schema.ts';
import { checkHttpClient, type HttpClientConfig, httpClientFields, httpClientFrom } from '#clients/http/config.ts';
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
} from '../docker/api.ts';
import { provider } from '../provider.ts';
import { refreshing } from '../refresh.ts';

const ROLES = ['services', 'tasks', 'nodes'] as const;

export type DockerSwarmConfig = {
  readonly host: string;
  readonly role: (typeof ROLES)[number];
  readonly port: number;
  readonly filters: readonly Filter[];
  readonly refreshIntervalMs: number;
  readonly http: HttpClientConfig;
};

type Labels = Readonly<Record<string, string>> | null;
type Node = {
  readonly ID: string;
  readonly Spec: { readonly Role: string; readonly Availability: string; readonly Labels?: Labels };
  readonly Description: {
    readonly Hostname: string;
    readonly Platform: { readonly Architecture?: string; readonly OS?: string };
    readonly Engine: { readonly EngineVersion?: string };
  };
  readonly Status: { readonly State: string; readonly Addr: string };
  readonly ManagerStatus?: { readonly Leader?: boolean; readonly Reachability: string; readonly Addr: string };
};
type Port = {
  readonly Name?: string;
  readonly Protocol?: string;
  readonly PublishedPort?: number;
  readonly PublishMode?: string;
};
type Service = {
  readonly ID: string;
  readonly Spec: {
    readonly Name: string;
    readonly Labels?: Labels;
    readonly Mode?: { readonly Global?: object; readonly Replicated?: object };
    readonly TaskTemplate?: { readonly ContainerSpec?: { readonly Image?: string; readonly Hostname?: string } };
  };
  readonly Endpoint?: {
    readonly Ports?: readonly Port[];
    readonly VirtualIPs?: readonly { readonly NetworkID: string; readonly Addr: string }[];
  };
  readonly UpdateStatus?: { readonly State?: string };
};
type Task = {
  readonly ID: string;
  readonly ServiceID: string;
  readonly NodeID?: string;
  readonly Slot?: number;
  readonly DesiredState: string;
  readonly Spec?: { readonly ContainerSpec?: { readonly Labels?: Labels } };
  readonly Status: {
    readonly State: string;
    readonly ContainerStatus?: { readonly ContainerID?: string };
    readonly PortStatus?: { readonly Ports?: readonly Port[] };
  };
  readonly NetworksAttachments?: readonly {
    readonly Network: { readonly ID: string };
    readonly Addresses?: readonly string[];
  }[];
};

const META = '__meta_dockerswarm_';

export const dockerSwarmProvider = provider<DockerSwarmConfig>({
  key: 'dockerswarm_sd_configs',
  schema: (resolve) =>
    map(
      object(
        {
          ...httpClientFields,
          host: hostField,
          role: optional(string()),
          port: portField,
          filters,
          refresh_interval: withDefault(duration(), 60_000),
        },
        (value, report) => {
          checkHttpClient(value, report);
          const problem = hostProblem(value.host);
          if (problem) report('host', problem);
          if (!value.role) report('role', 'role missing (one of: tasks, services, nodes)');
          else if (!ROLES.some((role) => role === value.role)) {
            report('role', `invalid role ${value.role}, expected tasks, services, or nodes`);
          }
        },
      ),
      (value) => ({
        host: value.host!,
        role: value.role as DockerSwarmConfig['role'],
        port: value.port,
        filters: value.filters,
        refreshIntervalMs: value.refresh_interval,
        http: httpClientFrom(value, resolve),
      }),
    ),
  create(config, context) {
    const api = dockerApi(config.host, config.http, config.refreshIntervalMs, context);
    const list = { nodes: listNodes, services: listServices, tasks: listTasks }[config.role];
    return refreshing(
      {
        mechanism: 'dockerswarm',
        intervalMs: config.refreshIntervalMs,
        close: api.close,
        refresh: async () => [{ source: 'DockerSwarm', targets: await list(config, api), labels: {} }],
      },
      context,
    );
  },
});

function nodeLabels(node: Node): LabelSet {
  return {
    [`${META}node_id`]: node.ID,
    [`${META}node_role`]: node.Spec.Role,
    [`${META}node_availability`]: node.Spec.Availability,
    [`${META}node_hostname`]: node.Description.Hostname,
    [`${META}node_platform_architecture`]: node.Description.Platform.Architecture ?? '',
    [`${META}node_platform_os`]: node.Description.Platform.OS ?? '',
    [`${META}node_status`]: node.Status.State,
    [`${META}node_address`]: node.Status.Addr,
    ...prefixed(`${META}node_label_`, node.Spec.Labels),
  };
}

async function listNodes(config: DockerSwarmConfig, api: DockerApi): Promise<LabelSet[]> {
  const nodes = (await api.get('/nodes', config.filters)) as readonly Node[];
  return nodes.map((node) => ({
    ...nodeLabels(node),
    [`${META}node_engine_version`]: node.Description.Engine.EngineVersion ?? '',
    ...(node.ManagerStatus
      ? {
          [`${META}node_manager_leader`]: String(node.ManagerStatus.Leader ?? false),
          [`${META}node_manager_reachability`]: node.ManagerStatus.Reachability,
          [`${META}node_manager_address`]: node.ManagerStatus.Addr,
        }
      : {}),
    __address__: joinHostPort(node.Status.Addr, config.port),
  }));
}

function serviceLabels(service: Service): LabelSet {
  const { Mode } = service.Spec;
  return {
    [`${META}service_id`]: service.ID,
    [`${META}service_name`]: service.Spec.Name,
    [`${META}service_mode`]: Mode?.Global ? 'global' : Mode?.Replicated ? 'replicated' : '',
    ...prefixed(`${META}service_label_`, service.Spec.Labels),
  };
}

/** "10.0.1.2/24" without its mask. */
const bareAddress = (address: string) => address.replace(/\/\d+$/, '');
const isTcp = (port: Port) => port.Protocol === undefined || port.Protocol === 'tcp';

async function listServices(config: DockerSwarmConfig, api: DockerApi): Promise<LabelSet[]> {
  const services = (await api.get('/services', config.filters)) as readonly Service[];
  const networks = await networkLabels(api, META);
  return services.flatMap((service) => {
    const container = service.Spec.TaskTemplate?.ContainerSpec;
    const common: LabelSet = {
      ...serviceLabels(service),
      ...(container
        ? {
            [`${META}service_task_container_hostname`]: container.Hostname ?? '',
            [`${META}service_task_container_image`]: container.Image ?? '',
          }
        : {}),
      ...(service.UpdateStatus ? { [`${META}service_updating_status`]: service.UpdateStatus.State ?? '' } : {}),
    };
    return (service.Endpoint?.VirtualIPs ?? []).flatMap(({ NetworkID, Addr }): LabelSet[] => {
      const labels = { ...common, ...networks.get(NetworkID) };
      const ports = (service.Endpoint?.Ports ?? []).filter(isTcp);
      if (ports.length === 0) return [{ ...labels, __address__: joinHostPort(bareAddress(Addr), config.port) }];
      return ports.map((port) => ({
        ...labels,
        [`${META}service_endpoint_port_name`]: port.Name ?? '',
        [`${META}service_endpoint_port_publish_mode`]: port.PublishMode ?? '',
        __address__: joinHostPort(bareAddress(Addr), port.PublishedPort ?? 0),
      }));
    });
  });
}

async function listTasks(config: DockerSwarmConfig, api: DockerApi): Promise<LabelSet[]> {
  const tasks = (await api.get('/tasks', config.filters)) as readonly Task[];
  const services = new Map(((await api.get('/services')) as readonly Service[]).map((s) => [s.ID, s]));
  const nodes = new Map(((await api.get('/nodes')) as readonly Node[]).map((n) => [n.ID, n]));
  const networks = await networkLabels(api, META);
  return tasks.flatMap((task) => {
    const service = services.get(task.ServiceID);
    const node = nodes.get(task.NodeID ?? '');
    const common: LabelSet = {
      [`${META}task_id`]: task.ID,
      [`${META}task_desired_state`]: task.DesiredState,
      [`${META}task_state`]: task.Status.State,
      [`${META}task_slot`]: String(task.Slot ?? 0),
      ...(task.Status.ContainerStatus
        ? { [`${META}task_container_id`]: task.Status.ContainerStatus.ContainerID ?? '' }
        : {}),
      ...prefixed(`${META}container_label_`, task.Spec?.ContainerSpec?.Labels),
      ...(service ? serviceLabels(service) : {}),
      ...(node ? nodeLabels(node) : {}),
    };
    const published = (task.Status.PortStatus?.Ports ?? []).filter(isTcp).map(
      (port): LabelSet => ({
        ...common,
        [`${META}task_port_publish_mode`]: port.PublishMode ?? '',
        __address__: joinHostPort(node?.Status.Addr ?? '', port.PublishedPort ?? 0),
      }),
    );
    const ports = (service?.Endpoint?.Ports ?? []).filter(isTcp);
    const attached = (task.NetworksAttachments ?? []).flatMap(({ Network, Addresses }) =>
      (Addresses ?? []).flatMap((address): LabelSet[] => {
        const labels = { ...common, ...networks.get(Network.ID) };
        const ip = bareAddress(address);
        if (ports.length === 0) return [{ ...labels, __address__: joinHostPort(ip, config.port) }];
        return ports.map((port) => ({
          ...labels,
          [`${META}task_port_publish_mode`]: port.PublishMode ?? '',
          __address__: joinHostPort(ip, port.PublishedPort ?? 0),
        }));
      }),
    );
    return [...published, ...attached];
  });
}
