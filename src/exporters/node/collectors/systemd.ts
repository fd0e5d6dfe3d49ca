// Units of systemd and their states, asked over D-Bus; a property that a unit or an old systemd does not have is left out.

import type { DbusConnection } from '#clients/dbus/dbus.ts';
import type { DbusValue } from '#clients/dbus/message.ts';
import { Page } from '../../page.ts';
import { compileFilter } from '../../pattern.ts';
import { unlessRefused, withBus } from '../bus.ts';
import type { CollectorMaker, Host } from '../host.ts';

const SYSTEMD = 'org.freedesktop.systemd1';
const MANAGER_PATH = '/org/freedesktop/systemd1';
const MANAGER = `${SYSTEMD}.Manager`;
const STATES = ['active', 'activating', 'deactivating', 'inactive', 'failed'];
/** Counts that are not limited, or not counted, are this. */
const UNLIMITED = 2n ** 64n - 1n;

type Unit = { readonly name: string; readonly active: string; readonly path: string };
/** The value of a property of a unit, asked of the interface of its kind; undefined if it has none. */
type Property = (unit: Unit, kind: string, name: string) => Promise<DbusValue | undefined>;

export const systemd: CollectorMaker = (host) => {
  const isWanted = unitFilter(host);
  const isOn = (flag: 'task' | 'restarts' | 'start-time') =>
    host.flag(`collector.systemd.enable-${flag}-metrics`) === 'true';
  const isPrivate = host.flag('collector.systemd.private') === 'true';
  return {
    collect: (signal) =>
      withBus(isPrivate, signal, async (bus) => {
        const page = new Page();
        const ask: Property = (unit, kind, name) =>
          unlessRefused(bus.property(SYSTEMD, unit.path, `${SYSTEMD}.${kind}`, name));
        const [, units] = await Promise.all([addManager(page, bus), listUnits(page, bus, isWanted)]);
        const parts = [addStates(page, units, ask), addTimers(page, units, ask), addSockets(page, units, ask)];
        if (isOn('restarts')) parts.push(addRestarts(page, units, ask));
        if (isOn('start-time')) parts.push(addStartTimes(page, units, ask));
        if (isOn('task')) parts.push(addTasks(page, units, ask));
        await Promise.all(parts);
        return page.families();
      }),
  };
};

function unitFilter(host: Host): (name: string) => boolean {
  const flag = 'collector.systemd.unit';
  const whole = (pattern: string) => `^(?:${pattern})$`;
  const isExcluded = compileFilter(whole(host.flag(`${flag}-exclude`)), '', flag);
  const isNotIncluded = compileFilter('', whole(host.flag(`${flag}-include`)), flag);
  return (name) => !isNotIncluded(name) && !isExcluded(name);
}

async function addManager(page: Page, bus: DbusConnection): Promise<void> {
  const get = (name: string) => bus.property(SYSTEMD, MANAGER_PATH, MANAGER, name);
  const [version, virtualization, state] = await Promise.all([
    get('Version'),
    unlessRefused(get('Virtualization')),
    get('SystemState'),
  ]);
  const number = Number(/\d{3,}(\.\d+)?/.exec(String(version))?.[0] ?? 0);
  page.gauge('node_systemd_version', 'The version of systemd.', number, ['version', String(version)]);
  page.gauge('node_systemd_virtualization_info', 'The kind of virtualization that systemd sees.', 1, [
    'virtualization_type',
    virtualization === undefined ? 'unknown' : String(virtualization) || 'none',
  ]);
  page.gauge(
    'node_systemd_system_running',
    'Whether the system is up, with nothing failed.',
    state === 'running' ? 1 : 0,
  );
}

/** Counts all units by state and gives those that are wanted. */
async function listUnits(page: Page, bus: DbusConnection, isWanted: (name: string) => boolean): Promise<Unit[]> {
  const [list] = await bus.call({
    destination: SYSTEMD,
    path: MANAGER_PATH,
    interface: MANAGER,
    member: 'ListUnits',
  });
  const counts = new Map(STATES.map((state) => [state, 0]));
  const units: Unit[] = [];
  // Name, description, load state, active state, sub state, followed unit, path; then its job.
  for (const row of list as readonly (readonly string[])[]) {
    const [name, , load, active, , , path] = row as [string, string, string, string, string, string, string];
    counts.set(active, (counts.get(active) ?? 0) + 1);
    if (load === 'loaded' && isWanted(name)) units.push({ name, active, path });
  }
  for (const [state, count] of counts) page.gauge('node_systemd_units', 'Units by state.', count, ['state', state]);
  return units;
}

async function addStates(page: Page, units: readonly Unit[], ask: Property): Promise<void> {
  await Promise.all(
    units.map(async (unit) => {
      const kind = unit.name.endsWith('.service') ? 'Service' : unit.name.endsWith('.mount') ? 'Mount' : undefined;
      const type = kind === undefined ? '' : String((await ask(unit, kind, 'Type')) ?? '');
      for (const state of STATES) {
        const labels = ['name', unit.name, 'state', state, 'type', type];
        page.gauge('node_systemd_unit_state', 'State of a unit.', unit.active === state ? 1 : 0, labels);
      }
    }),
  );
}

/** One question for each unit of a kind. */
async function forEachOf(
  units: readonly Unit[],
  kind: string,
  property: string,
  ask: Property,
  add: (unit: Unit, value: DbusValue) => void,
): Promise<void> {
  await Promise.all(
    units
      .filter(({ name }) => name.endsWith(`.${kind.toLowerCase()}`))
      .map(async (unit) => {
        const value = await ask(unit, kind, property);
        if (value !== undefined) add(unit, value);
      }),
  );
}

const addRestarts = (page: Page, units: readonly Unit[], ask: Property): Promise<void> =>
  forEachOf(units, 'Service', 'NRestarts', ask, ({ name }, value) =>
    page.counter('node_systemd_service_restart_total', 'Restarts of a service.', Number(value), ['name', name]),
  );

async function addTasks(page: Page, units: readonly Unit[], ask: Property): Promise<void> {
  const add = (metric: string, help: string) => (unit: Unit, value: DbusValue) => {
    if (value !== UNLIMITED) page.gauge(metric, help, Number(value), ['name', unit.name]);
  };
  await Promise.all([
    forEachOf(units, 'Service', 'TasksCurrent', ask, add('node_systemd_unit_tasks_current', 'Tasks of a unit.')),
    forEachOf(units, 'Service', 'TasksMax', ask, add('node_systemd_unit_tasks_max', 'Most tasks of a unit.')),
  ]);
}

async function addStartTimes(page: Page, units: readonly Unit[], ask: Property): Promise<void> {
  await Promise.all(
    units.map(async (unit) => {
      const since = unit.active === 'active' ? await ask(unit, 'Unit', 'ActiveEnterTimestamp') : 0;
      if (since === undefined) return;
      const help = 'When a unit was started; 0 when it is not active.';
      page.gauge('node_systemd_unit_start_time_seconds', help, Number(since) / 1e6, ['name', unit.name]);
    }),
  );
}

const addTimers = (page: Page, units: readonly Unit[], ask: Property): Promise<void> =>
  forEachOf(units, 'Timer', 'LastTriggerUSec', ask, ({ name }, value) =>
    page.gauge('node_systemd_timer_last_trigger_seconds', 'When a timer last ran.', Number(value) / 1e6, [
      'name',
      name,
    ]),
  );

async function addSockets(page: Page, units: readonly Unit[], ask: Property): Promise<void> {
  await Promise.all([
    forEachOf(units, 'Socket', 'NAccepted', ask, ({ name }, value) =>
      page.counter('node_systemd_socket_accepted_connections_total', 'Connections accepted.', Number(value), [
        'name',
        name,
      ]),
    ),
    forEachOf(units, 'Socket', 'NConnections', ask, ({ name }, value) =>
      page.gauge('node_systemd_socket_current_connections', 'Connections open.', Number(value), ['name', name]),
    ),
    forEachOf(units, 'Socket', 'NRefused', ask, ({ name }, value) =>
      page.counter('node_systemd_socket_refused_connections_total', 'Connections refused.', Number(value), [
        'name',
        name,
      ]),
    ),
  ]);
}
