// Sessions of people, counted by what logind says of them over D-Bus. Kinds that are not known here count as `other`.

import type { DbusConnection } from '#clients/dbus/dbus.ts';
import { Page } from '../../page.ts';
import { unlessRefused, withBus } from '../bus.ts';
import type { CollectorMaker } from '../host.ts';

const LOGIND = 'org.freedesktop.login1';
const MANAGER_PATH = '/org/freedesktop/login1';
const REMOTES = ['true', 'false'];
const TYPES = ['other', 'unspecified', 'tty', 'x11', 'wayland', 'mir', 'web'];
const CLASSES = ['other', 'user', 'greeter', 'lock-screen', 'background'];

export const logind: CollectorMaker = () => ({
  collect: (signal) =>
    withBus(false, signal, async (bus) => {
      const list = async (member: string) => {
        const call = { destination: LOGIND, path: MANAGER_PATH, interface: `${LOGIND}.Manager`, member };
        return (await bus.call(call))[0] as readonly (readonly string[])[];
      };
      const [seats, sessions] = await Promise.all([list('ListSeats'), list('ListSessions')]);
      // Id, user, name of the user, seat, path.
      const keys = await Promise.all(sessions.map(([, , , seat = '', path = '']) => sessionKey(bus, seat, path)));
      const counts = new Map<string, number>();
      for (const key of keys) if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
      const page = new Page();
      // Sessions from elsewhere have no seat.
      for (const remote of REMOTES)
        for (const type of TYPES)
          for (const kind of CLASSES)
            for (const seat of [...seats.map(([name = '']) => name), '']) {
              const labels = ['class', kind, 'remote', remote, 'seat', seat, 'type', type];
              const count = counts.get(keyOf(seat, remote, type, kind)) ?? 0;
              page.gauge('node_logind_sessions', 'Sessions that logind knows.', count, labels);
            }
      return page.families();
    }),
});

const keyOf = (...parts: string[]) => parts.join('\xff');

/** Undefined for a session that ended meanwhile. */
async function sessionKey(bus: DbusConnection, seat: string, path: string): Promise<string | undefined> {
  const get = (name: string) => bus.property(LOGIND, path, `${LOGIND}.Session`, name);
  const answers = await unlessRefused(Promise.all([get('Remote'), get('Type'), get('Class')]));
  if (answers === undefined) return undefined;
  const known = (value: string, among: readonly string[]) => (among.includes(value) ? value : 'other');
  const [remote, type, kind] = answers.map(String) as [string, string, string];
  return keyOf(seat, remote, known(type, TYPES), known(kind, CLASSES));
}
