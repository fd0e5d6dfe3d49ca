// Labels that several roles give their targets: those of objects, pods, nodes, namespaces, services. Names are Prometheus'.

import type { KubernetesObject } from '#clients/kubernetes/watch.ts';
import type { Container, Node, Pod, Service } from './objects.ts';

export type LabelSet = Record<string, string>;

export const META = '__meta_kubernetes_';

/** A label name from any text: what is not allowed becomes an underscore. */
export const sanitized = (name: string): string => name.replace(/[^a-zA-Z0-9_]/g, '_');

export function joinHostPort(host: string, port: number | string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

export function objectLabels(object: KubernetesObject, role: string): LabelSet {
  return { [`${META}${role}_name`]: object.metadata.name, ...annotationLabels(object, role) };
}

export function annotationLabels(object: KubernetesObject, role: string): LabelSet {
  const labels: LabelSet = {};
  for (const [name, value] of Object.entries(object.metadata.labels ?? {})) {
    labels[`${META}${role}_label_${sanitized(name)}`] = value;
    labels[`${META}${role}_labelpresent_${sanitized(name)}`] = 'true';
  }
  for (const [name, value] of Object.entries(object.metadata.annotations ?? {})) {
    labels[`${META}${role}_annotation_${sanitized(name)}`] = value;
    labels[`${META}${role}_annotationpresent_${sanitized(name)}`] = 'true';
  }
  return labels;
}

export function serviceLabels(service: Service): LabelSet {
  return { [`${META}namespace`]: service.metadata.namespace ?? '', ...objectLabels(service, 'service') };
}

/** Other objects that labels come from; undefined where the configuration does not ask for them. */
export type Attached = {
  readonly node: ((name: string) => Node | undefined) | undefined;
  readonly namespace: ((name: string) => KubernetesObject | undefined) | undefined;
  readonly replicaSet: ((key: string) => KubernetesObject | undefined) | undefined;
  readonly job: ((key: string) => KubernetesObject | undefined) | undefined;
  readonly withJob: boolean;
  readonly withCronJob: boolean;
};

export function nodeLabels(name: string | undefined, attached: Attached): LabelSet {
  const node = name === undefined ? undefined : attached.node?.(name);
  return node ? objectLabels(node, 'node') : {};
}

export function namespaceLabels(name: string | undefined, attached: Attached): LabelSet {
  const namespace = name === undefined ? undefined : attached.namespace?.(name);
  return namespace ? annotationLabels(namespace, 'namespace') : {};
}

const controllerOf = (object: KubernetesObject) =>
  object.metadata.ownerReferences?.find((reference) => reference.controller === true);

export function podLabels(pod: Pod, attached: Attached): LabelSet {
  const { status, spec, metadata } = pod;
  const ready = status?.conditions?.find((condition) => condition.type === 'Ready')?.status ?? 'Unknown';
  const labels: LabelSet = {
    [`${META}pod_ip`]: status?.podIP ?? '',
    [`${META}pod_ready`]: ready.toLowerCase(),
    [`${META}pod_phase`]: status?.phase ?? '',
    [`${META}pod_node_name`]: spec.nodeName ?? '',
    [`${META}pod_host_ip`]: status?.hostIP ?? '',
    [`${META}pod_uid`]: metadata.uid ?? '',
    ...objectLabels(pod, 'pod'),
  };
  const controller = controllerOf(pod);
  if (!controller) return labels;
  labels[`${META}pod_controller_kind`] = controller.kind;
  labels[`${META}pod_controller_name`] = controller.name;
  const key = `${metadata.namespace}/${controller.name}`;
  if (controller.kind === 'ReplicaSet') {
    const set = attached.replicaSet?.(key);
    const owner = set && controllerOf(set);
    if (owner?.kind === 'Deployment') labels[`${META}pod_deployment_name`] = owner.name;
  } else if (controller.kind === 'Job') {
    if (attached.withJob) labels[`${META}pod_job_name`] = controller.name;
    const job = attached.withCronJob ? attached.job?.(key) : undefined;
    const owner = job && controllerOf(job);
    if (owner?.kind === 'CronJob') labels[`${META}pod_cronjob_name`] = owner.name;
  }
  return labels;
}

/** A pod's containers, the usual ones first. */
export function containersOf(pod: Pod): { readonly container: Container; readonly isInit: boolean }[] {
  return [
    ...pod.spec.containers.map((container) => ({ container, isInit: false })),
    ...(pod.spec.initContainers ?? []).map((container) => ({ container, isInit: true })),
  ];
}

export function containerPortLabels(
  container: Container,
  isInit: boolean,
  port: { readonly name?: string; readonly containerPort: number; readonly protocol?: string },
): LabelSet {
  return {
    [`${META}pod_container_name`]: container.name,
    [`${META}pod_container_image`]: container.image ?? '',
    [`${META}pod_container_port_name`]: port.name ?? '',
    [`${META}pod_container_port_number`]: String(port.containerPort),
    [`${META}pod_container_port_protocol`]: port.protocol ?? '',
    [`${META}pod_container_init`]: String(isInit),
  };
}
