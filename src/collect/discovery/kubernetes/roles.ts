// One function per role: an object becomes a target group. What else a group needs is looked up in copies of other objects.

import type { KubernetesObject } from '#clients/kubernetes/watch.ts';
import type { TargetGroup } from '#model/target.ts';
import {
  type Attached,
  containerPortLabels,
  containersOf,
  joinHostPort,
  type LabelSet,
  META,
  namespaceLabels,
  nodeLabels,
  objectLabels,
  podLabels,
  sanitized,
  serviceLabels,
} from './labels.ts';
import type {
  EndpointAddress,
  EndpointSlice,
  Endpoints,
  Ingress,
  Node,
  ObjectRef,
  Pod,
  Service,
  SliceEndpoint,
  SlicePort,
} from './objects.ts';

export type Lookups = Attached & {
  readonly service: (key: string) => Service | undefined;
  readonly pod: (key: string) => Pod | undefined;
};

export const ROLES = ['node', 'pod', 'service', 'endpoints', 'endpointslice', 'ingress'] as const;
export type Role = (typeof ROLES)[number];

export const sourceOf = (role: Role, key: string): string => `${SOURCES[role]}/${key}`;
const SOURCES: Readonly<Record<Role, string>> = {
  node: 'node',
  pod: 'pod',
  service: 'svc',
  endpoints: 'endpoints',
  endpointslice: 'endpointslice',
  ingress: 'ingress',
};

export function buildGroup(role: Role, key: string, object: KubernetesObject, lookups: Lookups): TargetGroup {
  const source = sourceOf(role, key);
  switch (role) {
    case 'node':
      return nodeGroup(source, object as Node);
    case 'pod':
      return podGroup(source, object as Pod, lookups);
    case 'service':
      return serviceGroup(source, object as Service, lookups);
    case 'endpoints':
      return endpointsGroup(source, object as Endpoints, lookups);
    case 'endpointslice':
      return sliceGroup(source, object as EndpointSlice, lookups);
    case 'ingress':
      return ingressGroup(source, object as Ingress, lookups);
  }
}

const ADDRESS_ORDER = ['InternalIP', 'InternalDNS', 'ExternalIP', 'ExternalDNS', 'LegacyHostIP', 'Hostname'];

function nodeGroup(source: string, node: Node): TargetGroup {
  const labels: LabelSet = { [`${META}node_provider_id`]: node.spec?.providerID ?? '' };
  for (const condition of node.status?.conditions ?? []) {
    labels[`${META}node_condition_${sanitized(condition.type.toLowerCase())}`] = condition.status.toLowerCase();
  }
  Object.assign(labels, objectLabels(node, 'node'));
  const addresses = new Map<string, string>();
  for (const { type, address } of node.status?.addresses ?? []) if (!addresses.has(type)) addresses.set(type, address);
  const kind = ADDRESS_ORDER.find((type) => addresses.has(type));
  if (kind === undefined) return { source, targets: [], labels };
  const port = node.status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 0;
  const target: LabelSet = { __address__: joinHostPort(addresses.get(kind)!, port), instance: node.metadata.name };
  for (const [type, address] of addresses) target[sanitized(`${META}node_address_${type}`)] = address;
  return { source, targets: [target], labels };
}

function podGroup(source: string, pod: Pod, lookups: Lookups): TargetGroup {
  const ip = pod.status?.podIP ?? '';
  const isNodeMissing = lookups.node !== undefined && lookups.node(pod.spec.nodeName ?? '') === undefined;
  if (ip === '' || isNodeMissing) return { source, targets: [], labels: {} };
  const labels: LabelSet = {
    ...podLabels(pod, lookups),
    [`${META}namespace`]: pod.metadata.namespace ?? '',
    ...nodeLabels(pod.spec.nodeName, lookups),
    ...namespaceLabels(pod.metadata.namespace, lookups),
  };
  const targets = containersOf(pod).flatMap(({ container, isInit }): LabelSet[] => {
    const statuses = isInit ? pod.status?.initContainerStatuses : pod.status?.containerStatuses;
    const id = statuses?.find(({ name }) => name === container.name)?.containerID ?? '';
    const common = {
      [`${META}pod_container_name`]: container.name,
      [`${META}pod_container_id`]: id,
      [`${META}pod_container_image`]: container.image ?? '',
      [`${META}pod_container_init`]: String(isInit),
    };
    const ports = container.ports ?? [];
    if (ports.length === 0) return [{ __address__: ip, ...common }];
    return ports.map((port) => ({
      __address__: joinHostPort(ip, port.containerPort),
      ...common,
      ...containerPortLabels(container, isInit, port),
    }));
  });
  return { source, targets, labels };
}

function serviceGroup(source: string, service: Service, lookups: Lookups): TargetGroup {
  const { spec, metadata } = service;
  const labels = { ...serviceLabels(service), ...namespaceLabels(metadata.namespace, lookups) };
  const balancers = (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip ? [ip] : []));
  const targets = (spec.ports ?? []).map(
    (port): LabelSet => ({
      __address__: `${metadata.name}.${metadata.namespace}.svc:${port.port}`,
      [`${META}service_port_name`]: port.name ?? '',
      [`${META}service_port_number`]: String(port.port),
      [`${META}service_port_protocol`]: port.protocol ?? '',
      [`${META}service_type`]: spec.type ?? '',
      ...(spec.type === 'ExternalName'
        ? { [`${META}service_external_name`]: spec.externalName ?? '' }
        : { [`${META}service_cluster_ip`]: spec.clusterIP ?? '' }),
      ...(spec.type === 'LoadBalancer'
        ? { [`${META}service_loadbalancer_ip`]: balancers.join(',') || (spec.loadBalancerIP ?? '') }
        : {}),
    }),
  );
  return { source, targets, labels };
}

/** Targets of pods behind a service: for each endpoint, and for container ports that no endpoint covers. */
class PodTargets {
  readonly targets: LabelSet[] = [];
  readonly #lookups: Lookups;
  readonly #seen = new Map<string, { readonly pod: Pod; readonly ports: Set<number> }>();

  constructor(lookups: Lookups) {
    this.#lookups = lookups;
  }

  add(target: LabelSet, ref: ObjectRef | undefined, port: number | undefined, protocol: string | undefined): void {
    const key = `${ref?.namespace}/${ref?.name}`;
    const pod = ref?.kind === 'Pod' ? this.#lookups.pod(key) : undefined;
    if (!pod) {
      this.targets.push(target);
      return;
    }
    let seen = this.#seen.get(key);
    if (!seen) {
      seen = { pod, ports: new Set() };
      this.#seen.set(key, seen);
    }
    const complete = { ...target, ...podLabels(pod, this.#lookups) };
    for (const { container, isInit } of containersOf(pod)) {
      const match = (container.ports ?? []).find(({ containerPort }) => containerPort === port);
      if (!match) continue;
      Object.assign(
        complete,
        containerPortLabels(container, isInit, protocol === undefined ? match : { ...match, protocol }),
      );
    }
    if (port !== undefined) seen.ports.add(port);
    this.targets.push(complete);
  }

  finish(): LabelSet[] {
    for (const { pod, ports } of this.#seen.values()) {
      const ip = pod.status?.podIP;
      if (!ip) continue;
      for (const { container, isInit } of containersOf(pod)) {
        for (const port of container.ports ?? []) {
          if (ports.has(port.containerPort)) continue;
          this.targets.push({
            __address__: joinHostPort(ip, port.containerPort),
            ...containerPortLabels(container, isInit, port),
            ...podLabels(pod, this.#lookups),
          });
        }
      }
    }
    return this.targets;
  }
}

function endpointsGroup(source: string, endpoints: Endpoints, lookups: Lookups): TargetGroup {
  const { namespace, name } = endpoints.metadata;
  const service = lookups.service(`${namespace}/${name}`);
  const labels: LabelSet = {
    [`${META}namespace`]: namespace ?? '',
    ...(service ? serviceLabels(service) : {}),
    ...objectLabels(endpoints, 'endpoints'),
    ...namespaceLabels(namespace, lookups),
  };
  const found = new PodTargets(lookups);
  for (const subset of endpoints.subsets ?? []) {
    for (const port of subset.ports ?? []) {
      const add = (address: EndpointAddress, ready: string) => {
        const ref = address.targetRef;
        const target: LabelSet = {
          __address__: joinHostPort(address.ip, port.port),
          [`${META}endpoint_port_name`]: port.name ?? '',
          [`${META}endpoint_port_protocol`]: port.protocol ?? '',
          [`${META}endpoint_ready`]: ready,
        };
        if (ref) {
          target[`${META}endpoint_address_target_kind`] = ref.kind ?? '';
          target[`${META}endpoint_address_target_name`] = ref.name ?? '';
        }
        if (address.nodeName !== undefined) target[`${META}endpoint_node_name`] = address.nodeName;
        if (address.hostname) target[`${META}endpoint_hostname`] = address.hostname;
        Object.assign(target, nodeLabels(address.nodeName ?? (ref?.kind === 'Node' ? ref.name : undefined), lookups));
        found.add(target, ref, port.port, port.protocol);
      };
      for (const address of subset.addresses ?? []) add(address, 'true');
      for (const address of subset.notReadyAddresses ?? []) add(address, 'false');
    }
  }
  return { source, targets: found.finish(), labels };
}

function sliceGroup(source: string, slice: EndpointSlice, lookups: Lookups): TargetGroup {
  const { namespace } = slice.metadata;
  const serviceName = slice.metadata.labels?.['kubernetes.io/service-name'];
  const service = serviceName === undefined ? undefined : lookups.service(`${namespace}/${serviceName}`);
  const labels: LabelSet = {
    [`${META}namespace`]: namespace ?? '',
    [`${META}endpointslice_address_type`]: slice.addressType,
    ...objectLabels(slice, 'endpointslice'),
    ...(service ? serviceLabels(service) : {}),
    ...namespaceLabels(namespace, lookups),
  };
  if (service && isSecondFamily(service, slice)) return { source, targets: [], labels };
  const found = new PodTargets(lookups);
  for (const endpoint of slice.endpoints ?? []) {
    for (const port of slice.ports ?? []) {
      for (const address of endpoint.addresses) {
        found.add(sliceTarget(address, endpoint, port, lookups), endpoint.targetRef, port.port, undefined);
      }
    }
  }
  return { source, targets: found.finish(), labels };
}

function sliceTarget(address: string, endpoint: SliceEndpoint, port: SlicePort, lookups: Lookups): LabelSet {
  const { conditions, targetRef: ref } = endpoint;
  const target: LabelSet = { __address__: port.port === undefined ? address : joinHostPort(address, port.port) };
  const put = (name: string, value: string | number | boolean | undefined) => {
    if (value !== undefined) target[`${META}endpointslice_${name}`] = String(value);
  };
  put('port_name', port.name);
  put('port_protocol', port.protocol);
  put('port', port.port);
  put('port_app_protocol', port.appProtocol);
  put('endpoint_conditions_ready', conditions?.ready);
  put('endpoint_conditions_serving', conditions?.serving);
  put('endpoint_conditions_terminating', conditions?.terminating);
  put('endpoint_hostname', endpoint.hostname);
  put('address_target_kind', ref && (ref.kind ?? ''));
  put('address_target_name', ref && (ref.name ?? ''));
  put('endpoint_node_name', endpoint.nodeName);
  put('endpoint_zone', endpoint.zone);
  for (const [name, value] of Object.entries(endpoint.deprecatedTopology ?? {})) {
    put(`endpoint_topology_${sanitized(name)}`, value);
    put(`endpoint_topology_present_${sanitized(name)}`, true);
  }
  return { ...target, ...nodeLabels(ref?.kind === 'Node' ? ref.name : endpoint.nodeName, lookups) };
}

/** The second slice of a service with two address families repeats the targets of the first. */
function isSecondFamily(service: Service, slice: EndpointSlice): boolean {
  const { ipFamilyPolicy, ipFamilies } = service.spec;
  const isDual = ipFamilyPolicy === 'PreferDualStack' || ipFamilyPolicy === 'RequireDualStack';
  return isDual && (ipFamilies ?? []).length > 0 && slice.addressType !== ipFamilies![0];
}

function ingressGroup(source: string, ingress: Ingress, lookups: Lookups): TargetGroup {
  const { namespace } = ingress.metadata;
  const labels: LabelSet = {
    [`${META}namespace`]: namespace ?? '',
    ...(ingress.spec?.ingressClassName === undefined
      ? {}
      : { [`${META}ingress_class_name`]: ingress.spec.ingressClassName }),
    ...objectLabels(ingress, 'ingress'),
    ...namespaceLabels(namespace, lookups),
  };
  const patterns = (ingress.spec?.tls ?? []).flatMap(({ hosts }) => hosts ?? []);
  const targets = (ingress.spec?.rules ?? []).flatMap((rule) => {
    const host = rule.host ?? '';
    const scheme = patterns.some((pattern) => matchesHost(pattern, host)) ? 'https' : 'http';
    const paths = rule.http ? (rule.http.paths ?? []).map(({ path }) => path || '/') : ['/'];
    return paths.map((path) => ({
      __address__: host,
      [`${META}ingress_scheme`]: scheme,
      [`${META}ingress_host`]: host,
      [`${META}ingress_path`]: path,
    }));
  });
  return { source, targets, labels };
}

function matchesHost(pattern: string, host: string): boolean {
  if (pattern === host) return true;
  if (!pattern.startsWith('*.')) return false;
  const dot = host.indexOf('.');
  return dot >= 0 && host.slice(dot) === pattern.slice(1);
}
