// What receivers take and answer: plain data, so that the thread that reads requests can hand them to the thread that
// decodes them.

export type Received = {
  /** Which receiver, by its path: '/api/v1/write', '/api/v1/otlp/v1/metrics', '/write' ... */
  readonly path: string;
  /** The query string without '?'. */
  readonly query: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
};

export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

export interface Receiver {
  receive(request: Received): Promise<Answer>;
}

export const answer = (status: number, body = '', headers: Readonly<Record<string, string>> = {}): Answer => ({
  status,
  headers: body === '' ? headers : { 'content-type': 'text/plain; charset=utf-8', ...headers },
  body,
});
