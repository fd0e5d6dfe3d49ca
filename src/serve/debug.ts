// Profiles of the running program below /debug/pprof, at the addresses and in the format of Go's programs, so that the tools
// for those work. What Go measures and JavaScript has not is a 404 that says so.

import type { Session } from 'node:inspector/promises';
import zlib from 'node:zlib';
import { type Clock, sleep } from '#base/clock.ts';
import { encodeProfile, type Frame, type Stack } from '#wire/pprof.ts';
import { type HttpRequest, type HttpResponse, type Route, text } from './http.ts';

const MAX_SECONDS = 600;
const CPU_SECONDS = 30;
const HEAP_SECONDS = 5;
const HEAP_INTERVAL_BYTES = 64 * 1024;
const NS_PER_US = 1000;

type CallFrame = { readonly functionName: string; readonly url: string; readonly lineNumber: number };
type AllocationNode = {
  readonly callFrame: CallFrame;
  readonly selfSize: number;
  readonly children: readonly AllocationNode[];
};

const INDEX = `/debug/pprof/

profile?seconds=30  where the main thread spends its time, for pprof
heap?seconds=5      what the main thread has allocated meanwhile and still keeps, for pprof
cmdline             the command line

Shards run in threads of their own; run the program with --cpu-prof to see them as well.
`;

export function debugRoutes(clock: Clock): Route[] {
  let busy = false;
  /** One at a time: profiles would see each other. */
  const alone = async (profile: () => Promise<HttpResponse>): Promise<HttpResponse> => {
    if (busy) return text('a profile is being taken already\n', 500);
    busy = true;
    try {
      return await profile();
    } finally {
      busy = false;
    }
  };
  const pages: Readonly<Record<string, (request: HttpRequest) => HttpResponse | Promise<HttpResponse>>> = {
    '': () => text(INDEX),
    cmdline: () => text(process.argv.join('\0')),
    profile: (request) => alone(() => cpuProfile(request, clock)),
    heap: (request) => alone(() => heapProfile(request, clock)),
    allocs: (request) => alone(() => heapProfile(request, clock)),
  };
  return [
    { methods: ['GET'], pattern: '/debug/pprof', handler: () => ({ status: 301, headers: { location: 'pprof/' } }) },
    {
      methods: ['GET', 'POST'],
      pattern: '/debug/pprof/*name',
      role: 'admin',
      handler: (request) => {
        const name = request.params['name'] ?? '';
        const page = Object.hasOwn(pages, name) ? pages[name] : undefined;
        return page ? page(request) : text(`there is no profile ${name} of this program\n\n${INDEX}`, 404);
      },
    },
  ];
}

async function withSession<T>(work: (session: Session) => Promise<T>): Promise<T> {
  const inspector = await import('node:inspector/promises');
  const session = new inspector.Session();
  session.connect();
  try {
    return await work(session);
  } finally {
    session.disconnect();
  }
}

function secondsOf({ query }: HttpRequest, fallback: number): number {
  const seconds = Number(query.get('seconds') || fallback);
  return seconds > 0 ? Math.min(seconds, MAX_SECONDS) : fallback;
}

const frameOf = ({ functionName, url, lineNumber }: CallFrame): Frame => ({
  name: functionName || '(anonymous)',
  file: url,
  line: lineNumber + 1,
});

function cpuProfile(request: HttpRequest, clock: Clock): Promise<HttpResponse> {
  return withSession(async (session) => {
    const timeMs = clock.now();
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    await sleep(clock, secondsOf(request, CPU_SECONDS) * 1000, request.signal);
    const { profile } = await session.post('Profiler.stop');
    const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
    const parents = new Map(profile.nodes.flatMap(({ id, children }) => (children ?? []).map((child) => [child, id])));
    const own = new Map<number, { count: number; us: number }>();
    profile.samples?.forEach((id, i) => {
      const seen = own.get(id) ?? { count: 0, us: 0 };
      seen.count++;
      seen.us += Math.max(0, profile.timeDeltas?.[i] ?? 0);
      own.set(id, seen);
    });
    const stacks = Array.from(own, ([leaf, { count, us }]): Stack => {
      const frames: Frame[] = [];
      for (let id: number | undefined = leaf; id !== undefined; id = parents.get(id)) {
        frames.push(frameOf(nodes.get(id)!.callFrame));
      }
      return { frames, values: [count, us * NS_PER_US] };
    });
    return asFile('profile', {
      types: [
        ['samples', 'count'],
        ['cpu', 'nanoseconds'],
      ],
      stacks,
      timeMs,
      durationMs: clock.now() - timeMs,
      period: 1_000_000,
    });
  });
}

function heapProfile(request: HttpRequest, clock: Clock): Promise<HttpResponse> {
  return withSession(async (session) => {
    const timeMs = clock.now();
    await session.post('HeapProfiler.startSampling', { samplingInterval: HEAP_INTERVAL_BYTES });
    await sleep(clock, secondsOf(request, HEAP_SECONDS) * 1000, request.signal);
    const { profile } = await session.post('HeapProfiler.stopSampling');
    const stacks: Stack[] = [];
    const walk = (node: AllocationNode, outer: readonly Frame[]): void => {
      const frames = [frameOf(node.callFrame), ...outer];
      if (node.selfSize > 0) stacks.push({ frames, values: [node.selfSize] });
      for (const child of node.children) walk(child, frames);
    };
    walk(profile.head, []);
    return asFile('heap', {
      types: [['inuse_space', 'bytes']],
      stacks,
      timeMs,
      durationMs: clock.now() - timeMs,
      period: HEAP_INTERVAL_BYTES,
    });
  });
}

const asFile = (name: string, profile: Parameters<typeof encodeProfile>[0]): HttpResponse => ({
  status: 200,
  headers: {
    'content-type': 'application/octet-stream',
    'content-disposition': `attachment; filename="${name}"`,
  },
  body: zlib.gzipSync(encodeProfile(profile)),
});
