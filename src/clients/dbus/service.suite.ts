// A service for tests: takes a name on a bus, or is the peer of a private socket, and answers method calls from a table.

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { type DbusValue, type Message, MessageType, readMessage, writeMessage } from './message.ts';

export type Answer = { readonly signature: string; readonly body: readonly DbusValue[] };
/** The answer to a call, or undefined for an error. */
export type Answers = (call: Message) => Answer | undefined;

const BUS_CONFIGURATION = (
  socket: string,
) => `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path=${socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`;

/** Writes what a bus of one's own needs; gives its socket and the arguments of dbus-daemon. */
export function busFiles(folder: string): { readonly socket: string; readonly args: readonly string[] } {
  const socket = path.join(folder, 'bus');
  const file = path.join(folder, 'bus.conf');
  fs.writeFileSync(file, BUS_CONFIGURATION(socket));
  return { socket, args: [`--config-file=${file}`, '--nofork', '--nopidfile'] };
}

function onMessages(socket: net.Socket, rest: Buffer, take: (message: Message) => void): void {
  let pending = rest;
  const drain = () => {
    for (let next = readMessage(pending); next; next = readMessage(pending)) {
      pending = pending.subarray(next.size);
      take(next.message);
    }
  };
  socket.on('data', (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    drain();
  });
  drain();
}

function answer(socket: net.Socket, answers: Answers, serial: () => number): (call: Message) => void {
  return (call) => {
    if (call.type !== MessageType.call) return;
    const given = answers(call);
    const to = { serial: serial(), replySerial: call.serial, ...(call.sender ? { destination: call.sender } : {}) };
    const failed = { signature: 's', body: ['no such thing'], errorName: 'org.freedesktop.DBus.Error.UnknownProperty' };
    socket.write(
      writeMessage({ type: given ? MessageType.reply : MessageType.error, ...to, ...(given ?? failed) } as Message),
    );
  };
}

const line = (socket: net.Socket) => new Promise<Buffer>((resolve) => socket.once('data', resolve));

/** Owns the name on the bus and answers what is asked of it, until the socket it gives is destroyed. */
export async function serveOnBus(bus: string, name: string, answers: Answers): Promise<net.Socket> {
  const socket = net.connect(bus);
  // The bus may go first.
  socket.on('error', () => socket.destroy());
  socket.write(`\0AUTH EXTERNAL ${Buffer.from(String(process.getuid!())).toString('hex')}\r\n`);
  await line(socket);
  socket.write('BEGIN\r\n');
  let last = 0;
  const reply = answer(socket, answers, () => ++last);
  const owned = Promise.withResolvers<void>();
  const bus1 = {
    destination: 'org.freedesktop.DBus',
    path: '/org/freedesktop/DBus',
    interface: 'org.freedesktop.DBus',
  };
  const call = (member: string, signature: string, ...body: DbusValue[]) =>
    socket.write(writeMessage({ type: MessageType.call, serial: ++last, ...bus1, member, signature, body }));
  onMessages(socket, Buffer.alloc(0), (message) => {
    if (message.replySerial === 2) owned.resolve();
    reply(message);
  });
  call('Hello', '');
  call('RequestName', 'su', name, 0);
  await owned.promise;
  return socket;
}

/** The peer of a private socket: no bus, no names. */
export async function servePeer(file: string, answers: Answers): Promise<net.Server> {
  const server = net.createServer((socket) => {
    let heard = Buffer.alloc(0);
    let last = 0;
    const signIn = (chunk: Buffer) => {
      heard = Buffer.concat([heard, chunk]);
      if (last === 0 && heard.includes('\r\n')) {
        last++;
        socket.write('OK 0123456789abcdef0123456789abcdef\r\n');
      }
      const begin = heard.indexOf('BEGIN\r\n');
      if (begin < 0) return;
      socket.off('data', signIn);
      onMessages(
        socket,
        heard.subarray(begin + 7),
        answer(socket, answers, () => ++last),
      );
    };
    socket.on('data', signIn).on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(file, resolve));
  return server;
}

/** What busctl makes of a call to the service: a second opinion on the bytes. */
export const busctl = async (bus: string, ...args: string[]): Promise<string> =>
  (await promisify(execFile)('busctl', [`--address=unix:path=${bus}`, ...args])).stdout;
