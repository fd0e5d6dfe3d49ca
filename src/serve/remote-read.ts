// Remote read: POST /api/v1/read with protobuf queries, answered as samples or as a stream of chunks. The server's
// external labels are added to what it gives and taken off what it is asked for.

import { errorCode, errorText } from '#base/errors.ts';
import { type Labels, labelValue } from '#model/labels.ts';
import type { Matcher } from '#model/matcher.ts';
import type { QueryLimits } from '#model/query.ts';
import type { Gauge, Registry } from '#model/registry.ts';
import { type EncodedSeries, type EncodeRead, inLabelOrder } from '#scale/shards/encode-read.ts';
import {
  decodeReadRequest,
  joinReadResponse,
  type ReadQuery,
  SAMPLES,
  STREAMED_XOR_CHUNKS,
} from '#wire/remote/read.ts';
import { snappyDecode, snappyEncode } from '#wire/snappy.ts';
import { type HttpRequest, type HttpResponse, type Route, text } from './http.ts';

export type RemoteReadParts = {
  readonly source: { encodeRead(request: EncodeRead, signal: AbortSignal): Promise<readonly EncodedSeries[]> };
  readonly limits: QueryLimits;
  readonly registry: Registry;
  readonly externalLabels: () => Labels;
  /** --storage.remote.read-sample-limit, for the samples form; 0: none. */
  readonly sampleLimit: number;
  /** --storage.remote.read-concurrent-limit; 0: none. */
  readonly concurrentLimit: number;
  /** --storage.remote.read-max-bytes-in-frame */
  readonly maxFrameBytes: number;
};

const MAX_REQUEST_BYTES = 16 * 1024 * 1024;

export function remoteReadRoutes(parts: RemoteReadParts): readonly Route[] {
  const queries = parts.registry.gauge(
    'prometheus_remote_read_handler_queries',
    'The current number of remote read queries that are either in execution or queued on the handler.',
  );
  const gate = new Gate(parts.concurrentLimit);
  return [
    {
      methods: ['POST'],
      pattern: '/api/v1/read',
      rawForm: true,
      handler: (request) => gate.pass(queries, () => read(parts, request)),
    },
  ];
}

/** Lets so many through at a time; the others wait in line. */
class Gate {
  readonly #limit: number;
  #inside = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#limit = limit;
  }

  async pass<T>(gauge: Gauge, action: () => Promise<T>): Promise<T> {
    gauge.add(1);
    while (this.#limit > 0 && this.#inside >= this.#limit) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#inside++;
    try {
      return await action();
    } finally {
      this.#inside--;
      gauge.add(-1);
      this.#waiting.shift()?.();
    }
  }
}

async function read(parts: RemoteReadParts, request: HttpRequest): Promise<HttpResponse> {
  let asked: ReturnType<typeof decodeReadRequest>;
  try {
    asked = decodeReadRequest(snappyDecode(await request.body(), MAX_REQUEST_BYTES));
  } catch (error) {
    const code = errorCode(error);
    if (code === 'snappy_corrupt' || code === 'protobuf_corrupt' || code === 'too_large') {
      return text(`${errorText(error)}\n`, 400);
    }
    throw error;
  }
  const form =
    asked.accepted.length === 0 ? SAMPLES : asked.accepted.find((t) => t === SAMPLES || t === STREAMED_XOR_CHUNKS);
  if (form === undefined) {
    return text(
      `server does not support any of the requested response types: [${asked.accepted.join(' ')}]; supported: [SAMPLES STREAMED_XOR_CHUNKS]\n`,
      400,
    );
  }
  const external = parts.externalLabels();
  return form === SAMPLES
    ? answerSamples(parts, asked.queries, external, request.signal)
    : {
        status: 200,
        headers: { 'content-type': 'application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse' },
        body: frames(parts, asked.queries, external, request.signal),
      };
}

async function answerSamples(
  parts: RemoteReadParts,
  queries: readonly ReadQuery[],
  external: Labels,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const results: Uint8Array[][] = [];
  let samples = 0;
  for (const query of queries) {
    const found = await parts.source.encodeRead(requestOf(parts, query, external, { kind: 'samples' }), signal);
    for (const part of found) samples += part.samples;
    if (parts.sampleLimit > 0 && samples > parts.sampleLimit) {
      return text(`exceeded sample limit (${parts.sampleLimit})\n`, 400);
    }
    results.push([...inLabelOrder(found)]);
  }
  return {
    status: 200,
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
    body: snappyEncode(joinReadResponse(results)),
  };
}

async function* frames(
  parts: RemoteReadParts,
  queries: readonly ReadQuery[],
  external: Labels,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  for (const [index, query] of queries.entries()) {
    const form = { kind: 'chunks', query: index, maxFrameBytes: parts.maxFrameBytes } as const;
    yield* inLabelOrder(await parts.source.encodeRead(requestOf(parts, query, external, form), signal));
  }
}

function requestOf(
  { limits }: RemoteReadParts,
  { matchers, start, end }: ReadQuery,
  external: Labels,
  form: EncodeRead['form'],
): EncodeRead {
  const select = { matchers: matchers.map((m) => withoutExternal(m, external)), range: { min: start, max: end } };
  return { select, limits, external, form };
}

/** A question for an external label's own value is a question for series without it: stored they do not have it. */
function withoutExternal(matcher: Matcher, external: Labels): Matcher {
  return matcher.type === '=' && labelValue(external, matcher.name) === matcher.value
    ? { ...matcher, value: '' }
    : matcher;
}
