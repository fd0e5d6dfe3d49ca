// Providers that need no peer: files, HTTP, DNS (against a small name server of the test), static groups; and the groups
// that other programs write.

import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createDnsDiscoverer, dnsProvider } from './dns/dns.ts';
import { fileProvider } from './file/file.ts';
import { parseJsonGroups } from './groups.ts';
import { httpProvider } from './http/http.ts';
import { discoveryContext, providerSuite, watchDiscoverer, watchProvider } from './provider.suite.ts';
import { staticProvider } from './static/static.ts';

test('static groups', async () => {
  const watch = watchProvider(staticProvider, '[{targets: ["a:1", "b:2"], labels: {l: v}}]');
  await watch.until([
    { __address__: 'a:1', l: 'v' },
    { __address__: 'b:2', l: 'v' },
  ]);
  await watch.stop();
});

providerSuite('file', fileProvider, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pharos-file-sd-'));
  const [a, b] = [path.join(folder, 'a.json'), path.join(folder, 'b.yml')];
  fs.writeFileSync(a, '[{"Targets": ["x:1"], "LABELS": {"m": "dns"}}, {"targets": ["y:1"]}]');
  fs.writeFileSync(b, '- targets: [z:1]\n  labels: {n: 1}\n');
  fs.writeFileSync(path.join(folder, 'c.txt'), 'nothing');
  return {
    config: `[{files: ["${folder}/*.json", "${folder}/b.yml"]}]`,
    found: [
      { __address__: 'x:1', m: 'dns', __meta_filepath: a },
      { __address__: 'y:1', __meta_filepath: a },
      { __address__: 'z:1', n: '1', __meta_filepath: b },
    ],
    change: () => {
      fs.writeFileSync(`${a}.new`, '[{"targets": ["x:2"]}]');
      fs.renameSync(`${a}.new`, a);
      fs.writeFileSync(b, '- targets: [broken');
    },
    foundAfter: [
      { __address__: 'x:2', __meta_filepath: a },
      { __address__: 'z:1', n: '1', __meta_filepath: b },
    ],
    close: () => fs.rmSync(folder, { recursive: true }),
  };
});

providerSuite('http', httpProvider, async () => {
  let answer = '[{"targets": ["a:1", "b:1"], "labels": {"l": "v"}}, {"targets": ["c:1"]}]';
  const server = http.createServer((request, response) => {
    assert.equal(request.headers['x-prometheus-refresh-interval-seconds'], '0.1');
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/targets`;
  return {
    config: `[{url: "${url}", refresh_interval: 100ms}]`,
    found: [
      { __address__: 'a:1', l: 'v', __meta_url: url },
      { __address__: 'b:1', l: 'v', __meta_url: url },
      { __address__: 'c:1', __meta_url: url },
    ],
    change: () => {
      answer = '[{"targets": ["a:1"]}]';
    },
    foundAfter: [{ __address__: 'a:1', __meta_url: url }],
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
});

test('what is not a list of target groups is refused', () => {
  const refused = (text: string, reason: RegExp) => assert.throws(() => parseJsonGroups(text, 's', {}), reason, text);
  refused('{}', /expected a list of target groups/);
  refused('[null]', /nil target group item found/);
  refused('[{"targets": ["a"], "extra": 1}]', /field extra is not known/);
  refused('[{"targets": "a"}]', /targets: expected a list of texts/);
  refused('[{"labels": {"a": 1}}]', /labels: a: expected text/);
  refused('[', /JSON/);
});

test('dns records of every type', async () => {
  const names = await nameServer({
    'srv.test:33': [Buffer.concat([Buffer.from([0, 1, 0, 2, 0x1f, 0x90]), domain('host.test')])],
    'a.test:1': [Buffer.from([10, 0, 0, 1]), Buffer.from([10, 0, 0, 2])],
    'a.test:28': [Buffer.from([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])],
    'mx.test:15': [Buffer.concat([Buffer.from([0, 5]), domain('mail.test')])],
    'ns.test:2': [domain('ns1.test')],
  });
  const resolver = new Resolver({ timeout: 2000, tries: 2 });
  resolver.setServers([`127.0.0.1:${names.port}`]);
  const find = async (type: 'SRV' | 'A' | 'AAAA' | 'MX' | 'NS', name: string) => {
    const config = { names: [name], type, port: 9100, refreshIntervalMs: 60_000 };
    return watchDiscoverer(createDnsDiscoverer(config, discoveryContext(), resolver));
  };
  const expectations = [
    [
      'SRV',
      'srv.test',
      [
        {
          __address__: 'host.test:8080',
          __meta_dns_name: 'srv.test',
          __meta_dns_srv_record_target: 'host.test.',
          __meta_dns_srv_record_port: '8080',
        },
      ],
    ],
    [
      'A',
      'a.test',
      [
        { __address__: '10.0.0.1:9100', __meta_dns_name: 'a.test' },
        { __address__: '10.0.0.2:9100', __meta_dns_name: 'a.test' },
      ],
    ],
    ['AAAA', 'a.test', [{ __address__: '[2001:db8::1]:9100', __meta_dns_name: 'a.test' }]],
    [
      'MX',
      'mx.test',
      [{ __address__: 'mail.test:9100', __meta_dns_name: 'mx.test', __meta_dns_mx_record_target: 'mail.test.' }],
    ],
    [
      'NS',
      'ns.test',
      [{ __address__: 'ns1.test:9100', __meta_dns_name: 'ns.test', __meta_dns_ns_record_target: 'ns1.test.' }],
    ],
    ['A', 'none.test', []],
  ] as const;
  for (const [type, name, expected] of expectations) {
    const watch = await find(type, name);
    await watch.until(expected);
    await watch.stop();
  }
  names.close();
  assert.throws(() => watchProvider(dnsProvider, '[{names: [x], type: A}]'), /a port is required in DNS-SD configs/);
});

const domain = (name: string) =>
  Buffer.concat([...name.split('.').map((part) => Buffer.from([part.length, ...Buffer.from(part)])), Buffer.from([0])]);

/** Answers with the records of "name:type number"; other names do not exist. */
async function nameServer(records: Record<string, Buffer[]>): Promise<{ port: number; close: () => void }> {
  const socket = dgram.createSocket('udp4');
  socket.on('message', (message, { port, address }) => {
    const labels: string[] = [];
    let at = 12;
    while (message[at]! > 0) {
      labels.push(message.toString('latin1', at + 1, at + 1 + message[at]!));
      at += message[at]! + 1;
    }
    const type = message.readUInt16BE(at + 1);
    const question = message.subarray(12, at + 5);
    const found = records[`${labels.join('.')}:${type}`];
    const head = Buffer.alloc(12);
    message.copy(head, 0, 0, 2);
    head.writeUInt16BE(found ? 0x8180 : 0x8183, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(found?.length ?? 0, 6);
    const answers = (found ?? []).map((data) => {
      const fixed = Buffer.alloc(12);
      fixed.writeUInt16BE(0xc00c, 0);
      fixed.writeUInt16BE(type, 2);
      fixed.writeUInt16BE(1, 4);
      fixed.writeUInt32BE(60, 6);
      fixed.writeUInt16BE(data.length, 10);
      return Buffer.concat([fixed, data]);
    });
    socket.send(Buffer.concat([head, question, ...answers]), port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return { port: socket.address().port, close: () => socket.close() };
}
