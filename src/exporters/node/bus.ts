// How collectors ask the system's services: over the system's message bus, with a connection of their own for each scrape.

import { errorCode } from '#base/errors.ts';
import { DBUS_REFUSED, DbusConnection, SYSTEM_BUS_ADDRESS, socketOf } from '#clients/dbus/dbus.ts';

const PRIVATE_SOCKET = '/run/systemd/private';

/** Runs the questions over one connection. A private one goes to systemd itself, which only root may. */
export async function withBus<T>(
  isPrivate: boolean,
  signal: AbortSignal,
  ask: (connection: DbusConnection) => Promise<T>,
): Promise<T> {
  const address = process.env['DBUS_SYSTEM_BUS_ADDRESS'] || SYSTEM_BUS_ADDRESS;
  const connection = isPrivate
    ? await DbusConnection.open(PRIVATE_SOCKET, false, signal)
    : await DbusConnection.open(socketOf(address), true, signal);
  try {
    return await ask(connection);
  } finally {
    connection.close();
  }
}

/** Undefined where the one asked has no answer: what was listed may be gone, or be too old to have the property. */
export async function unlessRefused<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (errorCode(error) === DBUS_REFUSED) return undefined;
    throw error;
  }
}
