// Sockets that others write lines or packets to. A line without end, a connection that stays silent and too many connections
// are cut off: none of them costs more than its limit.

import dgram from 'node:dgram';
import net from 'node:net';
import { duration, map, type Schema, string } from '#base/config/schema.ts';
import { errorCode, errorText, OperatingError, UserError } from '#base/errors.ts';
import type { Logger } from '#base/log.ts';

const MAX_LINE_BYTES = 64 * 1024;
const MAX_CONNECTIONS = 1024;
const IDLE_MS = 10 * 60_000;
const UDP_BUFFER_BYTES = 8 * 1024 * 1024;

export type Listening = { readonly port: number; readonly close: () => Promise<void> };

/** "host:port", ":port" or "[v6]:port". */
export function parseAddress(address: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(address);
  if (!match || Number(match[3]) > 65_535) {
    throw new UserError(`invalid listen address ${JSON.stringify(address)}: expected host:port`);
  }
  return { host: match[1] ?? match[2] ?? '', port: Number(match[3]) };
}

/** An address to listen on, checked while the configuration is read. */
export const listenAddress = (): Schema<string> =>
  map(string(), (text) => {
    parseAddress(text);
    return text;
  });

/** How often or how long; a pause of nothing would be a busy loop. */
export const pause = (): Schema<number> =>
  map(duration(), (ms) => {
    if (ms <= 0) throw new Error('expected a duration above 0');
    return ms;
  });

const listenError = (what: string, address: string, error: Error) =>
  new OperatingError(errorCode(error) ?? 'listen', `cannot listen on ${what} ${address}: ${errorText(error)}`, {
    cause: error,
  });

/** Calls `line` for every line that comes over TCP. */
export function listenLines(address: string, log: Logger, line: (text: string) => void): Promise<Listening> {
  const { host, port } = parseAddress(address);
  const open = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    if (open.size >= MAX_CONNECTIONS) {
      log.warn('connection refused: too many are open', { listen: address, limit: MAX_CONNECTIONS });
      socket.destroy();
      return;
    }
    open.add(socket);
    let rest = '';
    socket.setEncoding('utf8');
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    socket.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      for (const text of lines) line(text);
      if (rest.length > MAX_LINE_BYTES) {
        log.warn('a connection sent a line without end', { address: socket.remoteAddress, bytes: rest.length });
        socket.destroy();
      }
    });
    socket.on('end', () => {
      if (rest !== '') line(rest);
      rest = '';
    });
    socket.on('error', (error) => log.debug('connection failed', { err: errorText(error) }));
    socket.on('close', () => open.delete(socket));
  });
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError('tcp', address, error)));
    server.listen({ port, ...(host === '' ? {} : { host }) }, () => {
      resolve({
        port: (server.address() as net.AddressInfo).port,
        close: () =>
          new Promise((done) => {
            for (const socket of open) socket.destroy();
            server.close(() => done());
          }),
      });
    });
  });
}

/** Calls `packet` for every datagram that comes over UDP. */
export async function listenPackets(address: string, log: Logger, packet: (bytes: Buffer) => void): Promise<Listening> {
  const { host, port } = parseAddress(address);
  if (net.isIPv4(host)) return bindPackets('udp4', host, port, address, log, packet);
  try {
    return await bindPackets('udp6', host, port, address, log, packet);
  } catch (error) {
    // A machine without IPv6, or a name that is none of its addresses.
    if (net.isIPv6(host) || !/^E(AFNOSUPPORT|ADDRNOTAVAIL|NOTFOUND|INVAL)$/.test(errorCode(error) ?? '')) throw error;
    return bindPackets('udp4', host, port, address, log, packet);
  }
}

function bindPackets(
  type: 'udp4' | 'udp6',
  host: string,
  port: number,
  address: string,
  log: Logger,
  packet: (bytes: Buffer) => void,
): Promise<Listening> {
  const socket = dgram.createSocket({ type });
  socket.on('message', packet);
  return new Promise((resolve, reject) => {
    socket.once('error', (error) => reject(listenError('udp', address, error)));
    socket.bind({ port, ...(host === '' ? {} : { address: host }) }, () => {
      try {
        socket.setRecvBufferSize(UDP_BUFFER_BYTES);
      } catch (error) {
        log.debug('the UDP buffer stays as it is', { err: errorText(error) });
      }
      socket.on('error', (error) => log.warn('UDP socket failed', { address, err: errorText(error) }));
      resolve({
        port: socket.address().port,
        close: () => new Promise((done) => socket.close(() => done())),
      });
    });
  });
}
