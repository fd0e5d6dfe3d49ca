// Against a real etcd: groups come with their keys and go with them.

import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { systemClock } from '#base/clock.ts';
import { EtcdClient } from '#clients/etcd/etcd.ts';
import { peer } from '../../../../test/peers.ts';
import { providerSuite } from '../provider.suite.ts';
import { etcdProvider } from './etcd.ts';

const etcd = peer('etcd', 'etcd-server');

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

providerSuite(
  'etcd',
  etcdProvider,
  async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-etcd-'));
    const url = `http://127.0.0.1:${await freePort()}`;
    const peers = `http://127.0.0.1:${await freePort()}`;
    const flags = ['--data-dir', folder, '--listen-client-urls', url, '--advertise-client-urls', url];
    const server: ChildProcess = spawn(
      etcd.path,
      [
        ...flags,
        '--listen-peer-urls',
        peers,
        '--initial-advertise-peer-urls',
        peers,
        '--initial-cluster',
        `default=${peers}`,
      ],
      { stdio: 'ignore' },
    );
    const client = new EtcdClient({ endpoints: [url], timeoutMs: 2000 }, systemClock);
    for (let tries = 0; ; tries++) {
      try {
        await client.put('/targets/node1', '[{"targets": ["a:1"], "labels": {"guid": "g1"}}, {"targets": ["a:2"]}]');
        break;
      } catch (error) {
        if (tries > 100) throw error;
        await new Promise((resolve) => systemClock.after(100, () => resolve(undefined)));
      }
    }
    await client.put('/targets/node2', '{"targets": ["b:1"]}');
    await client.put('/other', '[{"targets": ["x:1"]}]');
    return {
      config: `[{endpoints: ["${url}"], prefix: /targets/}]`,
      found: [
        { __address__: 'a:1', guid: 'g1', __meta_etcd_key: '/targets/node1' },
        { __address__: 'a:2', __meta_etcd_key: '/targets/node1' },
        { __address__: 'b:1', __meta_etcd_key: '/targets/node2' },
      ],
      change: async () => {
        await client.delete('/targets/node2');
        await client.put('/targets/node1', '[{"targets": ["a:3"]}]');
        await client.put('/targets/node3', '[{"targets": ["c:1"]}]');
        // What cannot be read changes nothing.
        await client.put('/targets/node3', 'not JSON');
      },
      foundAfter: [
        { __address__: 'a:3', __meta_etcd_key: '/targets/node1' },
        { __address__: 'c:1', __meta_etcd_key: '/targets/node3' },
      ],
      close: async () => {
        await client.close();
        const ended = new Promise((resolve) => server.once('exit', resolve));
        server.kill();
        await ended;
        fs.rmSync(folder, { recursive: true });
      },
    };
  },
  etcd.skip,
);
