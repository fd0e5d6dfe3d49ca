// What every part of Grafana's API shares: errors as `{message}`, numbers for uids, slugs, times, numbers in queries.

import { errorText, OperatingError } from '#base/errors.ts';
import type { Text } from '#view/model.ts';
import { toUid } from '#view/uid.ts';
import { type Handler, type HttpRequest, type HttpResponse, json } from '../http.ts';

export const message = (text: string, status: number): HttpResponse => json({ message: text }, status);
export const titleOf = (title: Text): string => (typeof title === 'string' ? title : title.en);
export const slugOf = (title: Text): string => toUid(titleOf(title));
export const timeOf = (ms: number): string => new Date(ms).toISOString();
/** Who asks; without users everybody is the administrator. */
export const loginOf = ({ user }: HttpRequest): string => user ?? 'admin';

/** Numbers where Grafana has them; stable for a uid. */
export function idOf(uid: string): number {
  let sum = 7;
  for (let i = 0; i < uid.length; i++) sum = (Math.imul(sum, 31) + uid.charCodeAt(i)) >>> 0;
  return (sum % 1_000_000) + 1;
}

/** Mistakes of who asks are 400, clashes with what is there 409. */
export const guarded =
  (handler: Handler): Handler =>
  async (request) => {
    try {
      return await handler(request);
    } catch (error) {
      return message(errorText(error), error instanceof OperatingError && error.code === 'conflict' ? 409 : 400);
    }
  };

/** A whole number of the query string within bounds. */
export function count(query: URLSearchParams, name: string, otherwise: number, most: number): number {
  const given = Number(query.get(name) ?? otherwise);
  return Number.isInteger(given) && given > 0 ? Math.min(given, most) : otherwise;
}

/** `?limit=` and `?page=` of a list. */
export function pageOf<T>(list: readonly T[], query: URLSearchParams, limit = 1000, most = 5000): T[] {
  const size = count(query, 'limit', limit, most);
  const first = (count(query, 'page', 1, Number.MAX_SAFE_INTEGER) - 1) * size;
  return list.slice(first, first + size);
}
