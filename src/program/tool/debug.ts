// `pharos tool debug all|metrics|pprof`: what a running server tells about itself, collected into one archive, as promtool's
// commands of the same names do.

import zlib from 'node:zlib';
import { systemClock } from '#base/clock.ts';
import { replaceFile } from '#base/disk/durable.ts';
import { nodeDisk } from '#base/disk/node.ts';
import { errorText } from '#base/errors.ts';
import { fetchBytes, required, withScheme } from './asking.ts';
import { FAILURE, SUCCESS, type ToolCommand, toolCommand } from './command.ts';

const ARCHIVE = 'debug.tar.gz';

const PROFILES: Readonly<Record<string, string>> = {
  '/debug/pprof/profile?seconds=30': 'cpu.pb',
  '/debug/pprof/block': 'block.pb',
  '/debug/pprof/goroutine': 'goroutine.pb',
  '/debug/pprof/heap': 'heap.pb',
  '/debug/pprof/mutex': 'mutex.pb',
  '/debug/pprof/threadcreate': 'threadcreate.pb',
  '/debug/pprof/trace?seconds=30': 'trace.pb',
};
const METRICS: Readonly<Record<string, string>> = { '/metrics': 'metrics.txt' };

const debugCommand = (what: string, summary: string, pages: Readonly<Record<string, string>>): ToolCommand =>
  toolCommand({
    name: `debug ${what}`,
    summary,
    operands: '<server>',
    flags: {},
    run: async (_, operands, streams) => {
      const [server] = required(operands, 'server');
      const entries: Buffer[] = [];
      for (const [page, name] of Object.entries(pages)) {
        const url = `${withScheme(server!)}${page}`;
        streams.out(`collecting: ${url}\n`);
        try {
          const { status, body } = await fetchBytes(url, '');
          // What a program has no profile of is left out: not every server is written in Go.
          if (status === 404) streams.err(`${url} is not there: left out\n`);
          else entries.push(tarEntry(name, unpacked(body), systemClock.now()));
        } catch (error) {
          streams.err(`error completing debug command: error executing HTTP request: ${errorText(error)}\n`);
          return FAILURE;
        }
      }
      replaceFile(nodeDisk, ARCHIVE, zlib.gzipSync(Buffer.concat([...entries, Buffer.alloc(2 * BLOCK_BYTES)])));
      streams.out(`Compiling debug information complete, all files written in ${JSON.stringify(ARCHIVE)}.\n`);
      return SUCCESS;
    },
  });

/** Profiles come compressed; in the archive they are plain. */
const unpacked = (body: Buffer): Buffer => (body[0] === 0x1f && body[1] === 0x8b ? zlib.gunzipSync(body) : body);

const BLOCK_BYTES = 512;

/** A file of an archive: header and content, each in whole blocks. */
function tarEntry(name: string, content: Buffer, now: number): Buffer {
  const header = Buffer.alloc(BLOCK_BYTES);
  const put = (at: number, text: string) => header.write(text, at, 'latin1');
  const octal = (value: number, digits: number) => `${value.toString(8).padStart(digits, '0')}\0`;
  put(0, name);
  put(100, octal(0o666, 7));
  put(108, octal(0, 7));
  put(116, octal(0, 7));
  put(124, octal(content.length, 11));
  put(136, octal(Math.floor(now / 1000), 11));
  put(148, ' '.repeat(8));
  put(156, '0');
  put(257, 'ustar\x0000');
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(148, `${sum.toString(8).padStart(6, '0')}\0 `);
  const padding = (BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES;
  return Buffer.concat([header, content, Buffer.alloc(padding)]);
}

export const DEBUG_COMMANDS: readonly ToolCommand[] = [
  debugCommand('pprof', 'Collects the profiles of a server', PROFILES),
  debugCommand('metrics', 'Collects the metrics of a server', METRICS),
  debugCommand('all', 'Collects profiles and metrics of a server', { ...PROFILES, ...METRICS }),
];
