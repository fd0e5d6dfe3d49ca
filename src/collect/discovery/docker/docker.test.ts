// The Docker API as Docker answers it (recorded shapes, for swarms too), and a real one: Podman's.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { peer } from '../../../../test/peers.ts';
import { dockerSwarmProvider } from '../dockerswarm/dockerswarm.ts';
import { type LabelSet, providerSuite, watchProvider } from '../provider.suite.ts';
import { dockerProvider } from './docker.ts';

type Answers = Record<string, unknown>;

async function daemon(
  answers: Answers,
): Promise<{ host: string; answers: Answers; queries: string[]; close: () => void }> {
  const queries: string[] = [];
  const server = http.createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://x');
    queries.push(`${pathname} ${searchParams.get('filters') ?? ''}`);
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answers[pathname] ?? []));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answers,
    queries,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const NETWORKS = [
  { Id: 'net1', Name: 'front', Scope: 'local', Internal: false, Ingress: false, Labels: { 'a.b': 'c' } },
];
const network = (prefix: string): LabelSet => ({
  [`${prefix}network_id`]: 'net1',
  [`${prefix}network_name`]: 'front',
  [`${prefix}network_scope`]: 'local',
  [`${prefix}network_internal`]: 'false',
  [`${prefix}network_ingress`]: 'false',
  [`${prefix}network_label_a_b`]: 'c',
});

providerSuite('docker containers', dockerProvider, async () => {
  const web = {
    Id: 'id1',
    Names: ['/web'],
    Image: 'img',
    ImageID: 'sha256:1',
    Labels: { 'com.x': 'y' },
    HostConfig: { NetworkMode: 'front' },
    NetworkSettings: {
      Networks: {
        front: { NetworkID: 'net1', IPAddress: '172.19.0.2' },
        zzz: { NetworkID: 'net2', IPAddress: '172.20.0.2' },
      },
    },
    Ports: [
      { PrivatePort: 80, PublicPort: 8080, IP: '0.0.0.0', Type: 'tcp' },
      { PrivatePort: 53, Type: 'udp' },
    ],
  };
  const side = {
    ...web,
    Id: 'id2',
    Names: ['/side'],
    HostConfig: { NetworkMode: 'container:id1' },
    NetworkSettings: { Networks: {} },
    Ports: [],
  };
  const host = {
    ...side,
    Id: 'id3',
    Names: ['/host'],
    HostConfig: { NetworkMode: 'host' },
    NetworkSettings: { Networks: { host: { NetworkID: 'net9', IPAddress: '' } } },
  };
  const docker = await daemon({ '/containers/json': [web, side, host], '/networks': NETWORKS });
  const common = (id: string, name: string, mode: string): LabelSet => ({
    __meta_docker_container_id: id,
    __meta_docker_container_name: name,
    __meta_docker_container_network_mode: mode,
    __meta_docker_container_image: 'img',
    __meta_docker_container_image_id: 'sha256:1',
    __meta_docker_container_label_com_x: 'y',
  });
  const front = { ...network('__meta_docker_'), __meta_docker_network_ip: '172.19.0.2' };
  const first = {
    ...common('id1', '/web', 'front'),
    ...front,
    __address__: '172.19.0.2:80',
    __meta_docker_port_private: '80',
    __meta_docker_port_public: '8080',
    __meta_docker_port_public_ip: '0.0.0.0',
  };
  return {
    config: `[{host: "${docker.host}", refresh_interval: 200ms, port: 9, host_networking_host: here, filters: [{name: name, values: [web]}]}]`,
    found: [
      first,
      { ...common('id2', '/side', 'container:id1'), ...front, __address__: '172.19.0.2:9' },
      { ...common('id3', '/host', 'host'), __address__: 'here' },
    ],
    change: () => {
      assert.ok(docker.queries.includes('/containers/json {"name":["web"]}'));
      docker.answers['/containers/json'] = [web];
    },
    foundAfter: [first],
    close: docker.close,
  };
});

const NODE = {
  ID: 'n1',
  Spec: { Role: 'manager', Availability: 'active', Labels: { zone: 'z' } },
  Description: {
    Hostname: 'host1',
    Platform: { Architecture: 'x86_64', OS: 'linux' },
    Engine: { EngineVersion: '27.0' },
  },
  Status: { State: 'ready', Addr: '10.0.0.1' },
  ManagerStatus: { Leader: true, Reachability: 'reachable', Addr: '10.0.0.1:2377' },
};
const nodeLabels: LabelSet = {
  __meta_dockerswarm_node_id: 'n1',
  __meta_dockerswarm_node_role: 'manager',
  __meta_dockerswarm_node_availability: 'active',
  __meta_dockerswarm_node_hostname: 'host1',
  __meta_dockerswarm_node_platform_architecture: 'x86_64',
  __meta_dockerswarm_node_platform_os: 'linux',
  __meta_dockerswarm_node_status: 'ready',
  __meta_dockerswarm_node_address: '10.0.0.1',
  __meta_dockerswarm_node_label_zone: 'z',
};
const SERVICE = {
  ID: 's1',
  Spec: {
    Name: 'web',
    Labels: { l: 'v' },
    Mode: { Replicated: {} },
    TaskTemplate: { ContainerSpec: { Image: 'img' } },
  },
  Endpoint: {
    Ports: [{ Name: 'http', Protocol: 'tcp', PublishedPort: 8080, PublishMode: 'ingress' }],
    VirtualIPs: [{ NetworkID: 'net1', Addr: '10.0.1.2/24' }],
  },
};
const serviceLabels: LabelSet = {
  __meta_dockerswarm_service_id: 's1',
  __meta_dockerswarm_service_name: 'web',
  __meta_dockerswarm_service_mode: 'replicated',
  __meta_dockerswarm_service_label_l: 'v',
};

providerSuite('docker swarm nodes', dockerSwarmProvider, async () => {
  const docker = await daemon({ '/nodes': [NODE] });
  const found = {
    ...nodeLabels,
    __address__: '10.0.0.1:80',
    __meta_dockerswarm_node_engine_version: '27.0',
    __meta_dockerswarm_node_manager_leader: 'true',
    __meta_dockerswarm_node_manager_reachability: 'reachable',
    __meta_dockerswarm_node_manager_address: '10.0.0.1:2377',
  };
  return {
    config: `[{host: "${docker.host}", role: nodes, refresh_interval: 200ms}]`,
    found: [found],
    change: () => {
      docker.answers['/nodes'] = [{ ...NODE, Status: { State: 'down', Addr: '10.0.0.1' } }];
    },
    foundAfter: [{ ...found, __meta_dockerswarm_node_status: 'down' }],
    close: docker.close,
  };
});

providerSuite('docker swarm services', dockerSwarmProvider, async () => {
  const docker = await daemon({ '/services': [SERVICE], '/networks': NETWORKS });
  const found = {
    ...serviceLabels,
    ...network('__meta_dockerswarm_'),
    __address__: '10.0.1.2:8080',
    __meta_dockerswarm_service_task_container_image: 'img',
    __meta_dockerswarm_service_endpoint_port_name: 'http',
    __meta_dockerswarm_service_endpoint_port_publish_mode: 'ingress',
  };
  return {
    config: `[{host: "${docker.host}", role: services, refresh_interval: 200ms}]`,
    found: [found],
    change: () => {
      docker.answers['/services'] = [];
    },
    foundAfter: [],
    close: docker.close,
  };
});

providerSuite('docker swarm tasks', dockerSwarmProvider, async () => {
  const task = {
    ID: 't1',
    ServiceID: 's1',
    NodeID: 'n1',
    Slot: 2,
    DesiredState: 'running',
    Spec: { ContainerSpec: { Labels: { c: 'd' } } },
    Status: { State: 'running', ContainerStatus: { ContainerID: 'c1' }, PortStatus: {} },
    NetworksAttachments: [{ Network: { ID: 'net1' }, Addresses: ['10.0.1.7/24'] }],
  };
  const docker = await daemon({ '/tasks': [task], '/services': [SERVICE], '/nodes': [NODE], '/networks': NETWORKS });
  const found = {
    ...nodeLabels,
    ...serviceLabels,
    ...network('__meta_dockerswarm_'),
    __address__: '10.0.1.7:8080',
    __meta_dockerswarm_task_id: 't1',
    __meta_dockerswarm_task_desired_state: 'running',
    __meta_dockerswarm_task_state: 'running',
    __meta_dockerswarm_task_slot: '2',
    __meta_dockerswarm_task_container_id: 'c1',
    __meta_dockerswarm_task_port_publish_mode: 'ingress',
    __meta_dockerswarm_container_label_c: 'd',
  };
  return {
    config: `[{host: "${docker.host}", role: tasks, refresh_interval: 200ms}]`,
    found: [found],
    change: () => {
      docker.answers['/tasks'] = [{ ...task, Slot: 3 }];
    },
    foundAfter: [{ ...found, __meta_dockerswarm_task_slot: '3' }],
    close: docker.close,
  };
});

const podman = peer('podman', 'podman');
const busybox = peer('busybox', 'busybox-static');

test('containers of a real Podman', { skip: podman.skip || busybox.skip }, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-podman-'));
  const conf = path.join(folder, 'containers.conf');
  fs.writeFileSync(
    conf,
    '[containers]\ndefault_ulimits=["nofile=1024:20000","nproc=1024:1024"]\n[engine]\ncgroup_manager="cgroupfs"\n',
  );
  const env = { ...process.env, CONTAINERS_CONF: conf };
  const base = [
    '--root',
    path.join(folder, 'root'),
    '--runroot',
    path.join(folder, 'run'),
    '--storage-driver',
    'vfs',
    '--runtime',
    'runc',
  ];
  const run = (...args: string[]) => {
    const result = spawnSync(podman.path, [...base, ...args], { env, encoding: 'utf8', timeout: 120_000 });
    assert.equal(result.status, 0, `podman ${args.join(' ')}: ${result.stderr}`);
    return result.stdout.trim();
  };
  fs.mkdirSync(path.join(folder, 'image', 'bin'), { recursive: true });
  fs.copyFileSync(busybox.path, path.join(folder, 'image', 'bin', 'sh'));
  spawnSync('tar', ['-C', path.join(folder, 'image'), '-cf', path.join(folder, 'image.tar'), '.']);
  const socket = path.join(folder, 'podman.sock');
  run('import', path.join(folder, 'image.tar'), 'pharos-test:1');
  const service = spawn(podman.path, [...base, 'system', 'service', '--time=0', `unix://${socket}`], {
    env,
    stdio: 'ignore',
  });
  try {
    const id = run(
      'run',
      '-d',
      '--network',
      'host',
      '--label',
      'team=a',
      '--name',
      'sd',
      'pharos-test:1',
      '/bin/sh',
      '-c',
      'sleep 600',
    );
    for (let tries = 0; !fs.existsSync(socket) && tries < 100; tries++) {
      await new Promise((resolve) => systemClock.after(100, () => resolve(undefined)));
    }
    const watch = watchProvider(dockerProvider, `[{host: "unix://${socket}", refresh_interval: 1s}]`);
    const end = systemClock.monotonic() + 30_000;
    while (watch.found().length === 0 && systemClock.monotonic() < end) {
      await new Promise((resolve) => systemClock.after(100, () => resolve(undefined)));
    }
    const found = watch.found();
    await watch.stop();
    assert.equal(found[0]?.['__meta_docker_container_id'], id);
    assert.equal(found[0]['__meta_docker_container_name'], '/sd');
    assert.equal(found[0]['__meta_docker_container_label_team'], 'a');
    assert.equal(found[0]['__address__'], 'localhost');
  } finally {
    spawnSync(podman.path, [...base, 'rm', '-f', '-t', '0', 'sd'], { env });
    const ended = new Promise((resolve) => service.once('exit', resolve));
    service.kill();
    await ended;
    fs.rmSync(folder, { recursive: true, force: true });
  }
});
