// Targets from the Kubernetes API, in six roles. For each namespace the objects of the role and those that its targets take
// labels from are kept as copies; when one changes, the groups that it has a part in are told anew.

import type { Timer } from '#base/clock.ts';
import { errorText } from '#base/errors.ts';
import { createHttpClient } from '#clients/http/client.ts';
import {
  inClusterConnection,
  type KubernetesConnection,
  kubeConfigConnection,
  ownNamespace,
} from '#clients/kubernetes/connection.ts';
import { type KubernetesObject, ObjectWatch } from '#clients/kubernetes/watch.ts';
import type { Discoverer, TargetGroup } from '#model/target.ts';
import { type DiscoveryContext, provider } from '../provider.ts';
import { emptyGroup } from '../refresh.ts';
import { type KubernetesConfig, kubernetesSchema } from './config.ts';
import type { Node, Pod, Service } from './objects.ts';
import { buildGroup, type Lookups, type Role, sourceOf } from './roles.ts';

/** Changes that come together are told together. */
const SETTLE_MS = 100;

export const kubernetesProvider = provider<KubernetesConfig>({
  key: 'kubernetes_sd_configs',
  schema: kubernetesSchema,
  create: (config, context) => createKubernetesDiscoverer(config, connect(config, context), context),
});

function connect(config: KubernetesConfig, { disk, environment }: DiscoveryContext): KubernetesConnection {
  if (config.kubeConfigFile) return kubeConfigConnection(config.kubeConfigFile, disk);
  if (config.apiServer) return { server: config.apiServer, http: config.http };
  return inClusterConnection(environment);
}

/** Kinds of objects and where the API has them; without namespaces where it says so. */
const KINDS = {
  node: { base: '/api/v1', plural: 'nodes', isGlobal: true },
  namespace: { base: '/api/v1', plural: 'namespaces', isGlobal: true },
  pod: { base: '/api/v1', plural: 'pods', isGlobal: false },
  service: { base: '/api/v1', plural: 'services', isGlobal: false },
  endpoints: { base: '/api/v1', plural: 'endpoints', isGlobal: false },
  endpointslice: { base: '/apis/discovery.k8s.io/v1', plural: 'endpointslices', isGlobal: false },
  ingress: { base: '/apis/networking.k8s.io/v1', plural: 'ingresses', isGlobal: false },
  replicaset: { base: '/apis/apps/v1', plural: 'replicasets', isGlobal: false },
  job: { base: '/apis/batch/v1', plural: 'jobs', isGlobal: false },
} as const;
type Kind = keyof typeof KINDS;

/** Besides its own objects a role needs these. */
function neededKinds({ role, attach }: KubernetesConfig): Kind[] {
  const kinds: Kind[] = [role];
  const isEndpoints = role === 'endpoints' || role === 'endpointslice';
  if (isEndpoints) kinds.push('service', 'pod');
  const hasPods = isEndpoints || role === 'pod';
  if (hasPods && attach.node) kinds.push('node');
  if (role !== 'node' && attach.namespace) kinds.push('namespace');
  if (hasPods && attach.deployment) kinds.push('replicaset');
  if (hasPods && (attach.job || attach.cronjob)) kinds.push('job');
  return kinds;
}

function createKubernetesDiscoverer(
  config: KubernetesConfig,
  connection: KubernetesConnection,
  context: DiscoveryContext,
): Discoverer {
  return {
    async run(update, signal) {
      const client = createHttpClient(connection.http, context);
      const names = config.ownNamespace ? [...config.namespaces, ownNamespace(context.disk)] : config.namespaces;
      const namespaces = names.length === 0 ? [''] : names;
      const watches = new Map<Kind, ObjectWatch<KubernetesObject>[]>();
      const publisher = new Publisher(config, context, watches, update);
      const runs: Promise<void>[] = [];
      for (const kind of neededKinds(config)) {
        const { base, plural, isGlobal } = KINDS[kind];
        const selector = kind in config.selectors ? config.selectors[kind as Role] : undefined;
        const places = isGlobal ? [''] : namespaces;
        const list = places.map(
          (namespace) =>
            new ObjectWatch<KubernetesObject>({
              client,
              clock: context.clock,
              server: connection.server,
              path: namespace === '' ? `${base}/${plural}` : `${base}/namespaces/${namespace}/${plural}`,
              ...(selector?.label ? { labelSelector: selector.label } : {}),
              ...(selector?.field ? { fieldSelector: selector.field } : {}),
              onEvent: (event, key, object) => {
                if (kind in ROLE_EVENTS) context.metrics.kubernetesEvents.with(kind, event).add();
                publisher.changed(kind, key, object);
              },
              onSynced: () => publisher.synced(),
              onError: (error) => {
                context.metrics.kubernetesFailures.add();
                context.log.error('Kubernetes discovery failed', { role: config.role, kind, err: errorText(error) });
              },
            }),
        );
        watches.set(kind, list);
      }
      const all = [...watches.values()].flat();
      publisher.expect(all.length);
      for (const watch of all) runs.push(watch.run(signal));
      await Promise.all(runs);
      publisher.stop();
      client.close();
    },
  };
}

const ROLE_EVENTS: Readonly<Partial<Record<Kind, true>>> = {
  node: true,
  pod: true,
  service: true,
  endpoints: true,
  endpointslice: true,
  ingress: true,
};

/** Decides which groups a change touches and tells them a little later. Nothing is told before all copies are complete. */
class Publisher {
  readonly #config: KubernetesConfig;
  readonly #context: DiscoveryContext;
  readonly #watches: ReadonlyMap<Kind, readonly ObjectWatch<KubernetesObject>[]>;
  readonly #update: (groups: readonly TargetGroup[]) => void;
  readonly #lookups: Lookups;
  readonly #dirty = new Set<string>();
  /** Keys of role objects by the objects their targets took labels from: "pod ns/name", "node name". */
  readonly #parts = new Map<string, Set<string>>();
  #unsynced = 0;
  #timer: Timer | undefined;

  constructor(
    config: KubernetesConfig,
    context: DiscoveryContext,
    watches: ReadonlyMap<Kind, readonly ObjectWatch<KubernetesObject>[]>,
    update: (groups: readonly TargetGroup[]) => void,
  ) {
    this.#config = config;
    this.#context = context;
    this.#watches = watches;
    this.#update = update;
    this.#lookups = this.#makeLookups();
  }

  expect(watches: number): void {
    this.#unsynced = watches;
  }

  synced(): void {
    this.#unsynced--;
    if (this.#unsynced === 0) this.#tell();
  }

  changed(kind: Kind, key: string, _object: KubernetesObject | undefined): void {
    if (kind === this.#config.role) this.#dirty.add(key);
    else for (const user of this.#parts.get(`${kind} ${key}`) ?? []) this.#dirty.add(user);
    if (this.#unsynced > 0 || this.#timer || this.#dirty.size === 0) return;
    this.#timer = this.#context.clock.after(
      SETTLE_MS,
      () => {
        this.#timer = undefined;
        this.#tell();
      },
      true,
    );
  }

  stop(): void {
    this.#timer?.cancel();
  }

  #tell(): void {
    const { role } = this.#config;
    const groups: TargetGroup[] = [];
    for (const key of this.#dirty) {
      const object = this.#find(role, key);
      this.#current = key;
      groups.push(object ? buildGroup(role, key, object, this.#lookups) : emptyGroup(sourceOf(role, key)));
      if (!object) for (const users of this.#parts.values()) users.delete(key);
    }
    this.#current = undefined;
    this.#dirty.clear();
    this.#update(groups);
  }

  #current: string | undefined;

  #find(kind: Kind, key: string): KubernetesObject | undefined {
    for (const watch of this.#watches.get(kind) ?? []) {
      const object = watch.objects.get(key);
      if (object) return object;
    }
    return undefined;
  }

  /** Looks an object up and remembers who asked, whether it is there or not. */
  #use(kind: Kind, key: string): KubernetesObject | undefined {
    const part = `${kind} ${key}`;
    if (this.#current !== undefined) {
      const users = this.#parts.get(part);
      if (users) users.add(this.#current);
      else this.#parts.set(part, new Set([this.#current]));
    }
    return this.#find(kind, key);
  }

  #makeLookups(): Lookups {
    const { attach } = this.#config;
    return {
      service: (key) => this.#use('service', key) as Service | undefined,
      pod: (key) => this.#use('pod', key) as Pod | undefined,
      node: attach.node ? (name) => this.#use('node', name) as Node | undefined : undefined,
      namespace: attach.namespace ? (name) => this.#use('namespace', name) : undefined,
      replicaSet: attach.deployment ? (key) => this.#use('replicaset', key) : undefined,
      job: attach.job || attach.cronjob ? (key) => this.#use('job', key) : undefined,
      withJob: attach.job,
      withCronJob: attach.cronjob,
    };
  }
}
