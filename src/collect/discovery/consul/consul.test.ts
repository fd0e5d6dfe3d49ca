// Against a server that speaks Consul's blocking queries: answers carry an index, and a query with that index waits.

import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { type LabelSet, providerSuite } from '../provider.suite.ts';
import { consulProvider } from './consul.ts';

class Consul {
  url = '';
  #index = 5;
  #services: Record<string, object[]> = {};
  #waiting: (() => void)[] = [];
  readonly #server = http.createServer((request, response) => void this.#answer(request, response));

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  set(services: Record<string, object[]>): void {
    this.#services = services;
    this.#index++;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url!, 'http://x');
    const isAllowed = request.headers['x-consul-token'] === 'secret';
    if (isAllowed && Number(searchParams.get('index')) === this.#index) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    const head = { 'content-type': 'application/json', 'x-consul-index': String(this.#index) };
    const say = (status: number, body: unknown) => response.writeHead(status, head).end(JSON.stringify(body));
    if (!isAllowed) say(403, 'Permission denied');
    else if (pathname === '/v1/agent/self') say(200, { Config: { Datacenter: 'dc1' } });
    else if (pathname === '/v1/catalog/services') {
      say(200, Object.fromEntries(Object.keys(this.#services).map((name) => [name, ['t1', 't2']])));
    } else say(200, this.#services[decodeURIComponent(pathname.replace('/v1/health/service/', ''))] ?? []);
  }
}

const entry = (address: string, status: string) => ({
  Node: { Node: 'n1', Address: '10.0.0.1', Meta: { 'rack.id': 'r1' }, TaggedAddresses: { lan: '10.0.0.1' } },
  Service: { ID: 'web-1', Service: 'web', Tags: ['t1', 't2'], Address: address, Port: 80, Meta: { version: '2' } },
  Checks: [
    { CheckID: 'serfHealth', Status: 'passing' },
    { CheckID: 'c', Status: status },
  ],
});

const target = (service: string, address: string, health: string, own: LabelSet): LabelSet => ({
  __address__: address,
  __meta_consul_address: '10.0.0.1',
  __meta_consul_node: 'n1',
  __meta_consul_tags: ',t1,t2,',
  __meta_consul_service: service,
  __meta_consul_service_port: '80',
  __meta_consul_service_id: 'web-1',
  __meta_consul_health: health,
  __meta_consul_dc: 'dc1',
  __meta_consul_metadata_rack_id: 'r1',
  __meta_consul_service_metadata_version: '2',
  __meta_consul_tagged_address_lan: '10.0.0.1',
  ...own,
});

const worlds = async (more: string) => {
  const consul = new Consul();
  await consul.start();
  consul.set({ web: [entry('', 'passing')], db: [entry('10.0.0.7', 'warning')] });
  return {
    config: `[{server: "${consul.url}", token: secret, refresh_interval: 100ms${more}}]`,
    found: [
      target('web', '10.0.0.1:80', 'passing', {}),
      target('db', '10.0.0.7:80', 'warning', { __meta_consul_service_address: '10.0.0.7' }),
    ],
    change: () => consul.set({ db: [entry('10.0.0.8', 'critical')] }),
    foundAfter: [target('db', '10.0.0.8:80', 'critical', { __meta_consul_service_address: '10.0.0.8' })],
    close: () => consul.close(),
  };
};

providerSuite('consul, the whole catalog', consulProvider, () => worlds(', tags: [t2]'));
providerSuite('consul, named services', consulProvider, () => worlds(', services: [web, db], datacenter: dc1'));
