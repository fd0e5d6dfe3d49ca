// Asks the kernel how well the clock is disciplined: adjtimex(2), which is in no file and which Node does not offer. A helper that the
// host has makes the call: Perl or Python, kept running and asked through its standard input, or else BusyBox, run for each answer.

import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import os from 'node:os';
import { errorCode, OperatingError } from '#base/errors.ts';
import { noData } from '../collector.ts';

/** What the call gives; fields that a helper does not tell are undefined. Units are the kernel's. */
export type Timex = {
  /** 5: not synchronized. */
  readonly result: number;
  readonly offset: number;
  readonly freq: number;
  readonly maxerror: number;
  readonly esterror: number;
  readonly status: number;
  readonly constant: number;
  readonly tick: number;
  readonly pps?: {
    readonly freq: number;
    readonly jitter: number;
    readonly shift: number;
    readonly stabil: number;
    readonly jitcnt: number;
    readonly calcnt: number;
    readonly errcnt: number;
    readonly stbcnt: number;
    readonly tai: number;
  };
};

const STRUCT_BYTES = 208;
/** The number of the call where `long` has 64 bits. */
const CALLS: Readonly<Record<string, number>> = {
  x64: 159,
  arm64: 171,
  riscv64: 171,
  loong64: 171,
  ppc64: 124,
  s390x: 124,
};

/** Both print, for each line they read, the result and the struct in hexadecimal, or "-1 errno". */
const PERL =
  '$|=1; while(<STDIN>){ my $b="\\0"x256; my $r=syscall($ARGV[0],$b); print $r<0 ? "-1 ".($!+0) : "$r ".unpack("H*",$b), "\\n" }';
const PYTHON = `import ctypes,sys
libc=ctypes.CDLL(None,use_errno=True)
while sys.stdin.readline():
  b=ctypes.create_string_buffer(256)
  r=libc.adjtimex(b)
  print("-1 %d"%ctypes.get_errno() if r<0 else "%d %s"%(r,b.raw.hex()),flush=True)`;

type Helper = { readonly command: string; readonly args: readonly string[] };

export function helpers(architecture: string): Helper[] {
  const call = CALLS[architecture];
  if (call === undefined) return [];
  return [
    { command: 'perl', args: ['-e', PERL, String(call)] },
    { command: 'python3', args: ['-S', '-E', '-c', PYTHON] },
  ];
}

const EPERM = 1;

/** A line of a helper. Throws no_data where the call is not permitted. */
export function readAnswer(line: string, isLittleEndian: boolean): Timex {
  const [result, rest = ''] = line.trim().split(' ');
  if (result === '-1') {
    if (Number(rest) === EPERM) throw noData('adjtimex is not permitted');
    throw new OperatingError('adjtimex', `cannot ask for the clock: error ${rest}`);
  }
  const bytes = Buffer.from(rest, 'hex');
  if (bytes.length < STRUCT_BYTES) throw new OperatingError('adjtimex', `cannot ask for the clock: answer "${line}"`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const long = (at: number) => Number(view.getBigInt64(at, isLittleEndian));
  const int = (at: number) => view.getInt32(at, isLittleEndian);
  return {
    result: Number(result),
    offset: long(8),
    freq: long(16),
    maxerror: long(24),
    esterror: long(32),
    status: int(40),
    constant: long(48),
    tick: long(88),
    pps: {
      freq: long(96),
      jitter: long(104),
      shift: int(112),
      stabil: long(120),
      jitcnt: long(128),
      calcnt: long(136),
      errcnt: long(144),
      stbcnt: long(152),
      tai: int(160),
    },
  };
}

/** What BusyBox' adjtimex prints: "-o  offset:  0 us". */
export function readBusybox(text: string): Timex {
  const value = (name: string): number => {
    const match = new RegExp(`${name.replace('.', '\\.')}:\\s+(-?\\d+)`).exec(text);
    if (!match) throw new OperatingError('adjtimex', `cannot ask for the clock: BusyBox does not tell ${name}`);
    return Number(match[1]);
  };
  return {
    result: value('return value'),
    offset: value('offset'),
    freq: value('freq.adjust'),
    maxerror: value('maxerror'),
    esterror: value('esterror'),
    status: value('status'),
    constant: value('timeconstant'),
    tick: value('tick'),
  };
}

type Asked = { readonly resolve: (line: string) => void; readonly reject: (error: Error) => void };

export class Adjtimex {
  readonly #helpers: Helper[];
  #running: ChildProcessWithoutNullStreams | undefined;
  #asked: Asked[] = [];
  #partial = '';

  constructor(list: readonly Helper[] = helpers(os.arch())) {
    this.#helpers = [...list];
  }

  async ask(): Promise<Timex> {
    while (this.#helpers.length > 0) {
      try {
        return readAnswer(await this.#askHelper(this.#helpers[0]!), os.endianness() === 'LE');
      } catch (error) {
        // Not installed: not looked for again.
        if (errorCode(error) !== 'ENOENT') throw error;
        this.#helpers.shift();
      }
    }
    return readBusybox(await busybox());
  }

  #askHelper(helper: Helper): Promise<string> {
    this.#running ??= this.#start(helper);
    const running = this.#running;
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
      running.stdin.write('\n');
      hold(running, true);
    });
  }

  #start({ command, args }: Helper): ChildProcessWithoutNullStreams {
    // Standard error is not read by anybody; a helper that fails ends, which is told.
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'ignore'],
    }) as unknown as ChildProcessWithoutNullStreams;
    const end = (error: Error) => {
      if (this.#running !== child) return;
      this.#running = undefined;
      this.#partial = '';
      for (const { reject } of this.#asked.splice(0)) reject(error);
    };
    child.on('error', end);
    child.on('exit', (code, signal) =>
      end(new OperatingError('adjtimex', `cannot ask for the clock: ${command} ended with ${signal ?? code}`)),
    );
    child.stdin.on('error', () => {}); // The exit says more.
    child.stdout.setEncoding('latin1').on('data', (text: string) => {
      const all = (this.#partial + text).split('\n');
      this.#partial = all.pop()!;
      for (const line of all) this.#asked.shift()?.resolve(line);
      if (this.#asked.length === 0) hold(child, false);
    });
    child.unref();
    return child;
  }
}

/** A helper that is not asked for anything must not keep the program alive. */
function hold({ stdin, stdout }: ChildProcessWithoutNullStreams, isAsked: boolean): void {
  for (const pipe of [stdin, stdout] as unknown as Socket[]) isAsked ? pipe.ref() : pipe.unref();
}

function busybox(): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('busybox', ['adjtimex'], (error, out) => {
      if (!error) resolve(out);
      else if (errorCode(error) === 'ENOENT')
        reject(noData('adjtimex can only be asked through perl, python3 or busybox, and none is installed'));
      else reject(new OperatingError('adjtimex', `cannot ask for the clock: busybox: ${error.message}`));
    });
  });
}
