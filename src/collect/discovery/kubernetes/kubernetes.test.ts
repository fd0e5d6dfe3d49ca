// All roles against a small API server of the test that lists and watches as Kubernetes does: pages, bookmarks, a watch that
// is cut off, a version that is too old.

import assert from 'node:assert/strict';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { ConfigError } from '#base/config/load.ts';
import { type LabelSet, providerSuite, type World, watchProvider } from '../provider.suite.ts';
import { kubernetesProvider } from './kubernetes.ts';

type Obj = {
  metadata: { name: string; namespace?: string; resourceVersion?: string; [key: string]: unknown };
  [key: string]: unknown;
};

class ApiServer {
  url = '';
  readonly requests: string[] = [];
  readonly #objects = new Map<string, Map<string, Obj>>();
  readonly #watchers = new Set<{ path: string; response: http.ServerResponse }>();
  readonly #log: { path: string; type: string; object: Obj }[] = [];
  #version = 10;
  #expired = false;
  readonly #server = http.createServer((request, response) => this.#answer(request, response));

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  put(path: string, object: Obj): void {
    object.metadata.resourceVersion = String(++this.#version);
    const objects = this.#objects.get(path) ?? new Map<string, Obj>();
    this.#objects.set(path, objects);
    const isNew = !objects.has(object.metadata.name);
    objects.set(object.metadata.name, object);
    this.#tell(path, isNew ? 'ADDED' : 'MODIFIED', object);
  }

  remove(path: string, name: string): void {
    const object = this.#objects.get(path)!.get(name)!;
    this.#objects.get(path)!.delete(name);
    this.#tell(path, 'DELETED', {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(++this.#version) },
    });
  }

  /** Ends all watches; those that come next are told that their version is gone. */
  expire(): void {
    this.#expired = true;
    for (const { response } of this.#watchers) response.end();
    this.#watchers.clear();
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #tell(path: string, type: string, object: Obj): void {
    this.#log.push({ path, type, object });
    for (const watcher of this.#watchers) {
      if (watcher.path === path) watcher.response.write(`${JSON.stringify({ type, object })}\n`);
    }
  }

  #answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url!, 'http://x');
    this.requests.push(`${pathname}?${searchParams.get('labelSelector') ?? ''}`);
    const objects = [...(this.#objects.get(pathname)?.values() ?? [])];
    if (searchParams.get('watch')) {
      response.writeHead(200, { 'content-type': 'application/json' });
      if (this.#expired) {
        this.#expired = false;
        response.end(`${JSON.stringify({ type: 'ERROR', object: { code: 410, metadata: {}, message: 'too old' } })}\n`);
        return;
      }
      response.write(
        `${JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: String(this.#version) } } })}\n`,
      );
      for (const { path, type, object } of this.#log) {
        const isNewer = Number(object.metadata.resourceVersion) > Number(searchParams.get('resourceVersion'));
        if (path === pathname && isNewer) response.write(`${JSON.stringify({ type, object })}\n`);
      }
      this.#watchers.add({ path: pathname, response });
      return;
    }
    // Pages of one object.
    const from = Number(searchParams.get('continue') ?? 0);
    const more = from + 1 < objects.length ? { continue: String(from + 1) } : {};
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({
        metadata: { resourceVersion: String(this.#version), ...more },
        items: objects.slice(from, from + 1),
      }),
    );
  }
}

const PODS = '/api/v1/pods';
const pod = (name: string, ip: string): Obj => ({
  metadata: {
    name,
    namespace: 'n',
    uid: `uid-${name}`,
    labels: { 'app.io/x': 'y' },
    annotations: { note: 'z' },
    ownerReferences: [{ kind: 'ReplicaSet', name: 'rs', controller: true }],
  },
  spec: {
    nodeName: 'node1',
    containers: [
      { name: 'c', image: 'img:1', ports: [{ containerPort: 9000, name: 'web', protocol: 'TCP' }] },
      { name: 'side' },
    ],
    initContainers: [{ name: 'init', image: 'i:1' }],
  },
  status: {
    phase: 'Running',
    podIP: ip,
    hostIP: '10.0.0.9',
    conditions: [{ type: 'Ready', status: 'True' }],
    containerStatuses: [{ name: 'c', containerID: 'docker://1' }],
  },
});

const podMeta = (name: string, ip: string): LabelSet => ({
  __meta_kubernetes_pod_ip: ip,
  __meta_kubernetes_pod_ready: 'true',
  __meta_kubernetes_pod_phase: 'Running',
  __meta_kubernetes_pod_node_name: 'node1',
  __meta_kubernetes_pod_host_ip: '10.0.0.9',
  __meta_kubernetes_pod_uid: `uid-${name}`,
  __meta_kubernetes_pod_name: name,
  __meta_kubernetes_pod_label_app_io_x: 'y',
  __meta_kubernetes_pod_labelpresent_app_io_x: 'true',
  __meta_kubernetes_pod_annotation_note: 'z',
  __meta_kubernetes_pod_annotationpresent_note: 'true',
  __meta_kubernetes_pod_controller_kind: 'ReplicaSet',
  __meta_kubernetes_pod_controller_name: 'rs',
});
const webPort = {
  __meta_kubernetes_pod_container_name: 'c',
  __meta_kubernetes_pod_container_image: 'img:1',
  __meta_kubernetes_pod_container_port_name: 'web',
  __meta_kubernetes_pod_container_port_number: '9000',
  __meta_kubernetes_pod_container_port_protocol: 'TCP',
  __meta_kubernetes_pod_container_init: 'false',
};

async function world(
  config: string,
  fill: (api: ApiServer) => void,
  found: readonly LabelSet[],
  change: (api: ApiServer) => void,
  foundAfter: readonly LabelSet[],
): Promise<World> {
  const api = new ApiServer();
  await api.start();
  fill(api);
  return {
    config: `[{api_server: "${api.url}", ${config}}]`,
    found,
    change: () => change(api),
    foundAfter,
    close: () => api.close(),
  };
}

const podTargets = (name: string, ip: string, more: LabelSet): LabelSet[] => {
  const common = { ...podMeta(name, ip), __meta_kubernetes_namespace: 'n', ...more };
  return [
    { ...common, ...webPort, __address__: `${ip}:9000`, __meta_kubernetes_pod_container_id: 'docker://1' },
    {
      ...common,
      __address__: ip,
      __meta_kubernetes_pod_container_name: 'side',
      __meta_kubernetes_pod_container_init: 'false',
    },
    {
      ...common,
      __address__: ip,
      __meta_kubernetes_pod_container_name: 'init',
      __meta_kubernetes_pod_container_image: 'i:1',
      __meta_kubernetes_pod_container_init: 'true',
    },
  ];
};

providerSuite('kubernetes pods with what they belong to', kubernetesProvider, () => {
  const attached = {
    __meta_kubernetes_node_name: 'node1',
    __meta_kubernetes_namespace_label_team: 'a',
    __meta_kubernetes_namespace_labelpresent_team: 'true',
    __meta_kubernetes_pod_deployment_name: 'dep',
  };
  return world(
    'role: pod, attach_metadata: {node: true, namespace: true, deployment: true}',
    (api) => {
      api.put(PODS, pod('p1', '10.1.1.1'));
      api.put(PODS, pod('p2', ''));
      api.put('/api/v1/nodes', { metadata: { name: 'node1' } });
      api.put('/api/v1/namespaces', { metadata: { name: 'n', labels: { team: 'a' } } });
      api.put('/apis/apps/v1/replicasets', {
        metadata: {
          name: 'rs',
          namespace: 'n',
          ownerReferences: [{ kind: 'Deployment', name: 'dep', controller: true }],
        },
      });
    },
    podTargets('p1', '10.1.1.1', attached),
    (api) => {
      api.put(PODS, pod('p2', 'fd00::2'));
      api.remove(PODS, 'p1');
      api.put('/api/v1/namespaces', { metadata: { name: 'n', labels: { team: 'b' } } });
    },
    podTargets('p2', 'fd00::2', { ...attached, __meta_kubernetes_namespace_label_team: 'b' }).map((target) =>
      target['__address__']?.endsWith(':9000') ? { ...target, __address__: '[fd00::2]:9000' } : target,
    ),
  );
});

providerSuite('kubernetes nodes, over a watch that is cut off', kubernetesProvider, () => {
  const node = (name: string, ready: string): Obj => ({
    metadata: { name, labels: { zone: 'z' } },
    spec: { providerID: 'aws:///i' },
    status: {
      conditions: [{ type: 'Ready', status: ready }],
      addresses: [
        { type: 'Hostname', address: 'h' },
        { type: 'InternalIP', address: '10.0.0.1' },
      ],
      daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    },
  });
  const target = (name: string, ready: string): LabelSet => ({
    __address__: '10.0.0.1:10250',
    instance: name,
    __meta_kubernetes_node_name: name,
    __meta_kubernetes_node_provider_id: 'aws:///i',
    __meta_kubernetes_node_condition_ready: ready,
    __meta_kubernetes_node_label_zone: 'z',
    __meta_kubernetes_node_labelpresent_zone: 'true',
    __meta_kubernetes_node_address_Hostname: 'h',
    __meta_kubernetes_node_address_InternalIP: '10.0.0.1',
  });
  return world(
    'role: node',
    (api) => {
      api.put('/api/v1/nodes', node('a', 'True'));
      api.put('/api/v1/nodes', node('b', 'True'));
    },
    [target('a', 'true'), target('b', 'true')],
    (api) => {
      api.expire();
      api.remove('/api/v1/nodes', 'a');
      api.put('/api/v1/nodes', node('b', 'False'));
    },
    [target('b', 'false')],
  );
});

const SERVICE: Obj = {
  metadata: { name: 's', namespace: 'n', labels: { l: 'v' } },
  spec: { type: 'LoadBalancer', clusterIP: '10.2.0.1', ports: [{ name: 'http', port: 80, protocol: 'TCP' }] },
  status: { loadBalancer: { ingress: [{ ip: '1.2.3.4' }, { ip: '1.2.3.5' }] } },
};
const serviceMeta = {
  __meta_kubernetes_namespace: 'n',
  __meta_kubernetes_service_name: 's',
  __meta_kubernetes_service_label_l: 'v',
  __meta_kubernetes_service_labelpresent_l: 'true',
};

providerSuite('kubernetes services in one namespace', kubernetesProvider, () => {
  const path = '/api/v1/namespaces/n/services';
  return world(
    'role: service, namespaces: {names: [n]}, selectors: [{role: service, label: "l=v"}]',
    (api) => api.put(path, structuredClone(SERVICE)),
    [
      {
        ...serviceMeta,
        __address__: 's.n.svc:80',
        __meta_kubernetes_service_port_name: 'http',
        __meta_kubernetes_service_port_number: '80',
        __meta_kubernetes_service_port_protocol: 'TCP',
        __meta_kubernetes_service_type: 'LoadBalancer',
        __meta_kubernetes_service_cluster_ip: '10.2.0.1',
        __meta_kubernetes_service_loadbalancer_ip: '1.2.3.4,1.2.3.5',
      },
    ],
    (api) => {
      assert.ok(api.requests.includes(`${path}?l=v`));
      api.put(path, {
        ...SERVICE,
        metadata: { name: 's', namespace: 'n' },
        spec: { type: 'ExternalName', externalName: 'x.org', ports: [{ port: 81 }] },
      });
    },
    [
      {
        __meta_kubernetes_namespace: 'n',
        __meta_kubernetes_service_name: 's',
        __address__: 's.n.svc:81',
        __meta_kubernetes_service_port_number: '81',
        __meta_kubernetes_service_type: 'ExternalName',
        __meta_kubernetes_service_external_name: 'x.org',
      },
    ],
  );
});

providerSuite('kubernetes endpoints with services and pods', kubernetesProvider, () => {
  const endpoints = (ready: boolean): Obj => {
    const address = { ip: '10.1.1.1', nodeName: 'node1', targetRef: { kind: 'Pod', namespace: 'n', name: 'p1' } };
    return {
      metadata: { name: 's', namespace: 'n' },
      subsets: [
        {
          [ready ? 'addresses' : 'notReadyAddresses']: [address],
          ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
        },
      ],
    };
  };
  const common = { ...serviceMeta, __meta_kubernetes_endpoints_name: 's', ...podMeta('p1', '10.1.1.1') };
  const expected = (ready: string): LabelSet[] => [
    {
      ...common,
      __address__: '10.1.1.1:8080',
      __meta_kubernetes_endpoint_port_name: 'http',
      __meta_kubernetes_endpoint_port_protocol: 'TCP',
      __meta_kubernetes_endpoint_ready: ready,
      __meta_kubernetes_endpoint_node_name: 'node1',
      __meta_kubernetes_endpoint_address_target_kind: 'Pod',
      __meta_kubernetes_endpoint_address_target_name: 'p1',
    },
    // A container port that no endpoint covers.
    { ...common, ...webPort, __address__: '10.1.1.1:9000' },
  ];
  return world(
    'role: endpoints',
    (api) => {
      api.put('/api/v1/endpoints', endpoints(true));
      api.put('/api/v1/services', structuredClone(SERVICE));
      api.put(PODS, pod('p1', '10.1.1.1'));
    },
    expected('true'),
    (api) => api.put('/api/v1/endpoints', endpoints(false)),
    expected('false'),
  );
});

providerSuite('kubernetes endpoint slices', kubernetesProvider, () => {
  const path = '/apis/discovery.k8s.io/v1/endpointslices';
  const slice: Obj = {
    metadata: { name: 'sl', namespace: 'n', labels: { 'kubernetes.io/service-name': 's' } },
    addressType: 'IPv4',
    endpoints: [
      {
        addresses: ['10.1.1.1'],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: 'node1',
        zone: 'z1',
        hostname: 'h',
      },
    ],
    ports: [{ name: 'http', port: 8080, protocol: 'TCP', appProtocol: 'h2' }],
  };
  const target: LabelSet = {
    ...serviceMeta,
    __address__: '10.1.1.1:8080',
    __meta_kubernetes_endpointslice_name: 'sl',
    __meta_kubernetes_endpointslice_label_kubernetes_io_service_name: 's',
    __meta_kubernetes_endpointslice_labelpresent_kubernetes_io_service_name: 'true',
    __meta_kubernetes_endpointslice_address_type: 'IPv4',
    __meta_kubernetes_endpointslice_port: '8080',
    __meta_kubernetes_endpointslice_port_name: 'http',
    __meta_kubernetes_endpointslice_port_protocol: 'TCP',
    __meta_kubernetes_endpointslice_port_app_protocol: 'h2',
    __meta_kubernetes_endpointslice_endpoint_conditions_ready: 'true',
    __meta_kubernetes_endpointslice_endpoint_conditions_serving: 'true',
    __meta_kubernetes_endpointslice_endpoint_conditions_terminating: 'false',
    __meta_kubernetes_endpointslice_endpoint_hostname: 'h',
    __meta_kubernetes_endpointslice_endpoint_node_name: 'node1',
    __meta_kubernetes_endpointslice_endpoint_zone: 'z1',
  };
  return world(
    'role: endpointslice',
    (api) => {
      api.put(path, slice);
      api.put('/api/v1/services', structuredClone(SERVICE));
    },
    [target],
    // A change of the service reaches the targets of its slices.
    (api) =>
      api.put('/api/v1/services', {
        ...structuredClone(SERVICE),
        metadata: { name: 's', namespace: 'n', labels: { l: 'w' } },
      }),
    [{ ...target, __meta_kubernetes_service_label_l: 'w' }],
  );
});

providerSuite('kubernetes ingresses', kubernetesProvider, () => {
  const path = '/apis/networking.k8s.io/v1/ingresses';
  const ingress = (hosts: string[]): Obj => ({
    metadata: { name: 'i', namespace: 'n' },
    spec: {
      ingressClassName: 'nginx',
      tls: [{ hosts }],
      rules: [{ host: 'a.example.com', http: { paths: [{ path: '/x' }, { path: '' }] } }],
    },
  });
  const targets = (scheme: string): LabelSet[] =>
    ['/x', '/'].map((at) => ({
      __address__: 'a.example.com',
      __meta_kubernetes_namespace: 'n',
      __meta_kubernetes_ingress_name: 'i',
      __meta_kubernetes_ingress_class_name: 'nginx',
      __meta_kubernetes_ingress_scheme: scheme,
      __meta_kubernetes_ingress_host: 'a.example.com',
      __meta_kubernetes_ingress_path: at,
    }));
  return world(
    'role: ingress',
    (api) => api.put(path, ingress(['*.example.com'])),
    targets('https'),
    (api) => api.put(path, ingress(['other.com'])),
    targets('http'),
  );
});

test('what the section must not say', () => {
  const refused = (config: string, reason: RegExp) =>
    assert.throws(
      () => watchProvider(kubernetesProvider, `[${config}]`),
      (error) => error instanceof ConfigError && reason.test(error.message),
    );
  refused('{api_server: "http://x"}', /role missing/);
  refused('{role: pods}', /expected one of node, pod/);
  refused('{role: pod, kubeconfig_file: a, api_server: "http://x"}', /simultaneously/);
  refused('{role: pod, bearer_token: a}', /please provide the 'api_server' URL explicitly/);
  refused('{role: node, selectors: [{role: pod}]}', /node role supports only node selectors/);
});
