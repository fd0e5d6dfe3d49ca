// This server as a data source of itself: requests of Grafana's proxies and queries answered by the routes that answer
// everybody else's.

import { ApiError, failure, type HttpRequest, type HttpResponse, type Route } from '../http.ts';
import { Router } from '../router.ts';

/** Answers a reading request for a path below the server's own; undefined when there is nothing at it. */
export type OwnApi = (request: HttpRequest, path: string, query?: URLSearchParams) => Promise<HttpResponse | undefined>;

export function ownApi(routes: readonly Route[]): OwnApi {
  const router = new Router(routes);
  return async (request, path, query = request.query) => {
    const at = `/${path}`;
    const method = query === request.query ? request.method : 'GET';
    const match = router.find(method, at);
    if (match.kind !== 'found' || (match.route.role ?? 'read') !== 'read') return undefined;
    try {
      return await match.route.handler({ ...request, method, path: at, params: match.params, query });
    } catch (error) {
      if (error instanceof ApiError) return failure(error.type, error.message);
      throw error;
    }
  };
}

/** The whole body of an answer, as text. */
export async function textOf({ body }: HttpResponse): Promise<string> {
  if (body === undefined) return '';
  if (typeof body === 'string') return body;
  if (body instanceof Uint8Array) return Buffer.from(body).toString('utf8');
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(Buffer.from(part as string | Uint8Array));
  return Buffer.concat(parts).toString('utf8');
}
