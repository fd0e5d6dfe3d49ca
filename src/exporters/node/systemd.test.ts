// systemd and logind over a real bus, with services of the test in their place.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '#base/clock.ts';
import { silentLogger } from '#base/log.ts';
import type { Answers } from '#clients/dbus/service.suite.ts';
import { busFiles, serveOnBus } from '#clients/dbus/service.suite.ts';
import { peer } from '../../../test/peers.ts';
import { start, temporaryFolder } from '../../../test/programs.ts';
import { HostFiles } from './files.ts';
import { defaultNodeFlags, type NodeFlag } from './flags.ts';
import { createHost } from './host.ts';
import { makeCollectors } from './makers.ts';

const daemon = peer('dbus-daemon', 'dbus-daemon');

const UNITS: readonly (readonly [name: string, load: string, active: string, properties: Record<string, string>])[] = [
  [
    'a.service',
    'loaded',
    'active',
    {
      Type: 's:notify',
      NRestarts: 'u:3',
      TasksCurrent: 't:5',
      TasksMax: 't:18446744073709551615',
      ActiveEnterTimestamp: 't:1700000000500000',
    },
  ],
  ['old.service', 'loaded', 'failed', { Type: 's:simple' }],
  ['gone.service', 'not-found', 'inactive', {}],
  [
    'b.socket',
    'loaded',
    'active',
    { NAccepted: 'u:7', NConnections: 'u:2', NRefused: 'u:1', ActiveEnterTimestamp: 't:1000000' },
  ],
  ['c.timer', 'loaded', 'inactive', { LastTriggerUSec: 't:1700000001000000' }],
  ['d.mount', 'loaded', 'active', { Type: 's:ext4' }],
  ['d.mount.timer', 'loaded', 'active', {}],
];
const pathOf = (name: string) => `/org/freedesktop/systemd1/unit/${name.replace(/\W/g, '_')}`;

function variant(written: string) {
  const [signature = '', text = ''] = written.split(/:(.*)/s);
  const value = signature === 's' ? text : signature === 'b' ? text === 'true' : BigInt(text);
  return { signature: 'v', body: [{ signature, value }] };
}

const systemd1: Answers = ({ path: object, member, body }) => {
  if (member === 'ListUnits') {
    const rows = UNITS.map(([name, load, active]) => [
      name,
      `About ${name}`,
      load,
      active,
      'sub',
      '',
      pathOf(name),
      0,
      '',
      '/',
    ]);
    return { signature: 'a(ssssssouso)', body: [rows] };
  }
  const manager: Record<string, string> = {
    Version: 's:252.19-1~deb12u1',
    SystemState: 's:running',
    Virtualization: 's:',
  };
  const owner = UNITS.find(([name]) => pathOf(name) === object);
  const value = (owner ? owner[3] : manager)[String(body[1])];
  return value === undefined ? undefined : variant(value);
};

const login1: Answers = ({ path: object, member, body }) => {
  const session = (id: string, seat: string) => [id, 1000, 'user', seat, `/session/${id}`];
  if (member === 'ListSeats') return { signature: 'a(so)', body: [[['seat0', '/seat/seat0']]] };
  if (member === 'ListSessions')
    return {
      signature: 'a(susso)',
      body: [[session('1', 'seat0'), session('2', ''), session('3', ''), session('4', '')]],
    };
  const sessions: Record<string, Record<string, string>> = {
    '/session/1': { Remote: 'b:false', Type: 's:wayland', Class: 's:user' },
    '/session/2': { Remote: 'b:true', Type: 's:tty', Class: 's:user' },
    '/session/3': { Remote: 'b:true', Type: 's:new', Class: 's:manager' },
  };
  const value = sessions[object ?? '']?.[String(body[1])];
  return value === undefined ? undefined : variant(value);
};

async function collect(t: TestContext, name: string, flags: Partial<Record<NodeFlag, string>>): Promise<string[]> {
  const host = createHost(new HostFiles(), systemClock, silentLogger, { ...defaultNodeFlags(), ...flags });
  const abort = new AbortController();
  t.after(() => abort.abort());
  const families = await makeCollectors([name], host)[0]!.collect(abort.signal);
  return families
    .flatMap(({ name: family, samples }) =>
      samples.map(({ labels, value }) => `${family} ${labels.join(' ')} ${value}`),
    )
    .filter((line) => !/node_systemd_unit_state .* 0$/.test(line))
    .sort();
}

async function bus(t: TestContext, services: Readonly<Record<string, Answers>>): Promise<string> {
  const { socket, args } = busFiles(temporaryFolder(t));
  await start(t, daemon.path, args, async () => fs.existsSync(socket));
  for (const [name, answers] of Object.entries(services)) {
    const service = await serveOnBus(socket, name, answers);
    t.after(() => service.destroy());
  }
  const before = process.env['DBUS_SYSTEM_BUS_ADDRESS'];
  process.env['DBUS_SYSTEM_BUS_ADDRESS'] = `unix:path=${socket}`;
  t.after(() => {
    if (before === undefined) delete process.env['DBUS_SYSTEM_BUS_ADDRESS'];
    else process.env['DBUS_SYSTEM_BUS_ADDRESS'] = before;
  });
  return socket;
}

test("systemd: units by node_exporter's names", { skip: daemon.skip }, async (t) => {
  await bus(t, { 'org.freedesktop.systemd1': systemd1 });
  assert.deepEqual(
    await collect(t, 'systemd', {
      'collector.systemd.enable-task-metrics': 'true',
      'collector.systemd.enable-restarts-metrics': 'true',
      'collector.systemd.enable-start-time-metrics': 'true',
    }),
    [
      'node_systemd_service_restart_total name a.service 3',
      'node_systemd_socket_accepted_connections_total name b.socket 7',
      'node_systemd_socket_current_connections name b.socket 2',
      'node_systemd_socket_refused_connections_total name b.socket 1',
      'node_systemd_system_running  1',
      'node_systemd_timer_last_trigger_seconds name c.timer 1700000001',
      'node_systemd_unit_start_time_seconds name a.service 1700000000.5',
      'node_systemd_unit_start_time_seconds name b.socket 1',
      'node_systemd_unit_start_time_seconds name c.timer 0',
      'node_systemd_unit_start_time_seconds name old.service 0',
      'node_systemd_unit_state name a.service state active type notify 1',
      'node_systemd_unit_state name b.socket state active 1',
      'node_systemd_unit_state name c.timer state inactive 1',
      'node_systemd_unit_state name d.mount.timer state active 1',
      'node_systemd_unit_state name old.service state failed type simple 1',
      'node_systemd_unit_tasks_current name a.service 5',
      'node_systemd_units state activating 0',
      'node_systemd_units state active 4',
      'node_systemd_units state deactivating 0',
      'node_systemd_units state failed 1',
      'node_systemd_units state inactive 2',
      'node_systemd_version version 252.19-1~deb12u1 252.19',
      'node_systemd_virtualization_info virtualization_type none 1',
    ],
  );
  const chosen = await collect(t, 'systemd', {
    'collector.systemd.unit-include': 'd.*|a.*',
    'collector.systemd.unit-exclude': 'a',
  });
  assert.deepEqual(
    chosen.filter((line) => line.includes('unit_state')),
    [
      'node_systemd_unit_state name a.service state active type notify 1',
      'node_systemd_unit_state name d.mount state active type ext4 1',
      'node_systemd_unit_state name d.mount.timer state active 1',
    ],
  );
});

test('logind: sessions by seat, kind and where they come from', { skip: daemon.skip }, async (t) => {
  await bus(t, { 'org.freedesktop.login1': login1 });
  const lines = await collect(t, 'logind', {});
  assert.equal(lines.length, 2 * 7 * 5 * 2, 'every combination for the seat and for none');
  assert.deepEqual(
    lines.filter((line) => !line.endsWith(' 0')),
    [
      'node_logind_sessions class other remote true type other 1',
      'node_logind_sessions class user remote false seat seat0 type wayland 1',
      'node_logind_sessions class user remote true type tty 1',
    ],
  );
});

test('no bus, or nobody on it, is an error of the collector', { skip: daemon.skip }, async (t) => {
  const socket = await bus(t, {});
  await assert.rejects(collect(t, 'systemd', {}), /cannot call .*: .*org\.freedesktop\.systemd1/);
  process.env['DBUS_SYSTEM_BUS_ADDRESS'] = `unix:path=${path.join(path.dirname(socket), 'none')}`;
  await assert.rejects(collect(t, 'logind', {}), /cannot connect to .*none: .*ENOENT/);
});
