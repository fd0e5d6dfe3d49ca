// A connection to the system's message bus, or to one peer without a bus: sign in as this process' user, call methods, get their
// results. Many calls may be under way; whatever ends the connection ends them all.

import net from 'node:net';
import { errorCode, errorText, OperatingError } from '#base/errors.ts';
import { type DbusValue, type Message, MessageType, readMessage, writeMessage } from './message.ts';

export const SYSTEM_BUS_ADDRESS = 'unix:path=/var/run/dbus/system_bus_socket';
const BUS = 'org.freedesktop.DBus';
const MAX_SIGN_IN_BYTES = 4096;

export type DbusCall = {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly DbusValue[];
};

/** The code of an error that the one called answered, as opposed to one of the connection. */
export const DBUS_REFUSED = 'dbus_refused';

type Waiting = { resolve(body: readonly DbusValue[]): void; reject(error: Error): void };

/** The socket of the first address that is one: `unix:path=...;unix:abstract=...`. */
export function socketOf(address: string): string {
  for (const one of address.split(';')) {
    const [transport, rest = ''] = one.split(/:(.*)/s);
    if (transport !== 'unix') continue;
    for (const pair of rest.split(',')) {
      const [key, value = ''] = pair.split(/=(.*)/s);
      const text = value.replace(/%([0-9a-fA-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
      if (key === 'path') return text;
      if (key === 'abstract') return `\0${text}`;
    }
  }
  throw new OperatingError('dbus', `cannot connect to the bus: ${JSON.stringify(address)} names no Unix socket`);
}

export class DbusConnection {
  readonly #socket: net.Socket;
  readonly #waiting = new Map<number, Waiting>();
  #serial = 0;
  #pending: Buffer = Buffer.alloc(0);
  #failure: Error | undefined;

  private constructor(socket: net.Socket, rest: Buffer) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new OperatingError('dbus', 'the D-Bus connection was closed')));
    if (rest.length > 0) this.#receive(rest);
  }

  /** Connects and signs in. The connection lives as long as the signal is not aborted. */
  static async open(socketPath: string, isBus: boolean, signal: AbortSignal): Promise<DbusConnection> {
    const socket = net.connect({ path: socketPath, signal });
    let rest: Buffer;
    try {
      rest = await signIn(socket);
    } catch (error) {
      socket.destroy();
      throw new OperatingError('dbus', `cannot connect to ${socketPath}: ${errorText(error)}`, { cause: error });
    }
    const connection = new DbusConnection(socket, rest);
    if (isBus)
      await connection.call({ destination: BUS, path: '/org/freedesktop/DBus', interface: BUS, member: 'Hello' });
    return connection;
  }

  call(call: DbusCall): Promise<readonly DbusValue[]> {
    if (this.#failure) return Promise.reject(this.#failure);
    const serial = ++this.#serial;
    const { promise, resolve, reject } = Promise.withResolvers<readonly DbusValue[]>();
    const named = (error: Error) => {
      const message = `cannot call ${call.interface}.${call.member}: ${error.message}`;
      reject(new OperatingError(errorCode(error) ?? 'dbus', message, { cause: error }));
    };
    this.#waiting.set(serial, { resolve, reject: named });
    this.#socket.write(writeMessage({ type: MessageType.call, serial, signature: '', body: [], ...call }));
    return promise;
  }

  /** A property of an object. */
  async property(destination: string, path: string, owner: string, name: string): Promise<DbusValue> {
    const [value] = await this.call({
      destination,
      path,
      interface: `${BUS}.Properties`,
      member: 'Get',
      signature: 'ss',
      body: [owner, name],
    });
    if (value === undefined) throw new OperatingError('dbus', `cannot get ${owner}.${name}: the answer is empty`);
    return value;
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    try {
      for (let next = readMessage(this.#pending); next !== undefined; next = readMessage(this.#pending)) {
        this.#pending = this.#pending.subarray(next.size);
        this.#answer(next.message);
      }
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #answer({ type, replySerial, errorName, body }: Message): void {
    // Signals (our own name, for one) concern nobody here.
    if (type !== MessageType.reply && type !== MessageType.error) return;
    const waiting = this.#waiting.get(replySerial ?? 0);
    if (!waiting) return;
    this.#waiting.delete(replySerial!);
    if (type === MessageType.reply) waiting.resolve(body);
    else {
      const text = typeof body[0] === 'string' ? `${body[0]} (${errorName})` : String(errorName);
      waiting.reject(new OperatingError(DBUS_REFUSED, text));
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#socket.destroy();
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** The conversation before the messages: who we are is what the kernel says of the other end of the socket. */
function signIn(socket: net.Socket): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  let heard: Buffer = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    heard = Buffer.concat([heard, chunk]);
    const end = heard.indexOf('\r\n');
    if (end < 0) return heard.length > MAX_SIGN_IN_BYTES ? reject(new Error('it does not speak D-Bus')) : undefined;
    const line = heard.toString('latin1', 0, end);
    if (!line.startsWith('OK ')) return reject(new Error(`it refuses this user: ${line}`));
    socket.write('BEGIN\r\n');
    resolve(heard.subarray(end + 2));
  };
  const onClose = () => reject(new Error('it closed the connection'));
  socket.on('data', onData).once('error', reject).once('close', onClose);
  const user = Buffer.from(String(process.getuid?.() ?? 0)).toString('hex');
  socket.write(`\0AUTH EXTERNAL ${user}\r\n`);
  return promise.finally(() => {
    socket.off('data', onData).off('error', reject).off('close', onClose);
  });
}
