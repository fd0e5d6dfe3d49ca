// The tcp prober: connects, and walks through a conversation of expected and sent lines, with TLS from the start or from STARTTLS on.

import net from 'node:net';
import tls from 'node:tls';
import { re2 } from '#base/regex/engine.ts';
import type { TcpModule } from './modules.ts';
import { addTls, type ProbeContext, resolveHost, tlsOptions } from './probe.ts';

const MAX_LINE_BYTES = 65_536;

export async function probeTcp(module: TcpModule, target: string, context: ProbeContext): Promise<boolean> {
  const { page, signal, disk, note } = context;
  const at = target.lastIndexOf(':');
  const [host, port] = [target.slice(0, at).replace(/^\[|\]$/g, ''), Number(target.slice(at + 1))];
  if (at < 0 || !Number.isInteger(port) || port < 1 || port > 65_535) throw new Error(`"${target}" is no host:port`);
  const address = await resolveHost(host, module, context);
  let socket: net.Socket = net.connect({
    host: address,
    port,
    ...(module.source_ip_address ? { localAddress: module.source_ip_address } : {}),
  });
  const destroy = () => socket.destroy();
  signal.addEventListener('abort', destroy, { once: true });
  try {
    await opened(socket, 'connect');
    note(`connected to ${address}:${port}`);
    const secure = async () => {
      const wrapped = tls.connect({ socket, ...tlsOptions(module.tls_config, host, disk) });
      await opened(wrapped, 'secureConnect');
      addTls(page, wrapped);
      socket = wrapped;
    };
    if (module.tls) await secure();
    return await converse(module, () => socket, secure, context);
  } finally {
    signal.removeEventListener('abort', destroy);
    socket.destroy();
  }
}

async function converse(
  module: TcpModule,
  socket: () => net.Socket,
  secure: () => Promise<void>,
  { page, note }: ProbeContext,
): Promise<boolean> {
  let lines = new LineReader(socket());
  for (const step of module.query_response) {
    let send = step.send;
    if (step.expect !== '') {
      const pattern = re2().compile(step.expect);
      for (;;) {
        const line = await lines.next();
        if (line === undefined) {
          note(`the connection ended before a line matched ${step.expect}`);
          page.gauge('probe_failed_due_to_regex', 'Whether a regular expression made the probe fail.', 1);
          return false;
        }
        const matcher = pattern.matcher(line);
        if (!matcher.find()) continue;
        note(`a line matched ${step.expect}`);
        send = send.replace(/\$\{?(\d+)\}?/g, (all, group: string) =>
          Number(group) <= matcher.groupCount() ? (matcher.group(Number(group)) ?? '') : all,
        );
        break;
      }
    }
    if (send !== '') socket().write(`${send}\n`);
    if (step.starttls) {
      lines.stop();
      await secure();
      lines = new LineReader(socket());
    }
  }
  if (module.query_response.length > 0)
    page.gauge('probe_failed_due_to_regex', 'Whether a regular expression made the probe fail.', 0);
  return true;
}

function opened(socket: net.Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => resolve());
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
  });
}

class LineReader {
  readonly #socket: net.Socket;
  readonly #take = (chunk: Buffer) => {
    this.#rest += chunk.toString('latin1');
    if (this.#rest.length > MAX_LINE_BYTES) this.#socket.destroy();
    this.#wake?.();
  };
  #rest = '';
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(socket: net.Socket) {
    this.#socket = socket;
    const end = () => {
      this.#ended = true;
      this.#wake?.();
    };
    socket.on('data', this.#take);
    socket.on('error', end);
    socket.on('close', end);
    socket.on('end', end);
  }

  /** Undefined when the connection has ended. */
  async next(): Promise<string | undefined> {
    for (;;) {
      const end = this.#rest.indexOf('\n');
      if (end >= 0) {
        const line = this.#rest.slice(0, end).replace(/\r$/, '');
        this.#rest = this.#rest.slice(end + 1);
        return line;
      }
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  stop(): void {
    this.#socket.off('data', this.#take);
  }
}
