// POST /{client}/webhook: alerts of others (alertmanager, grafana, anything with JSON) pushed on to WeCom users and groups.
// The reply says for every receiver and message how it went; it is an error only if nothing got through.

import type { PushProxy, PushSettings } from '#alert/proxy/push.ts';
import { planPush } from '#alert/proxy/request.ts';
import { errorText, UserError } from '#base/errors.ts';
import { ApiError, type HttpRequest, json, type Route } from './http.ts';

const MAX_BODY_BYTES = 16 * 1024 * 1024;

/** `user` is who authenticated here; otherwise the name in the request's basic auth header counts for Grafana. */
export function alertProxyRoutes(proxy: PushProxy, settings: () => PushSettings): Route[] {
  return [
    {
      methods: ['POST'],
      pattern: '/:client/webhook',
      role: 'write',
      maxBodyBytes: MAX_BODY_BYTES,
      handler: async (request) => {
        let plan: ReturnType<typeof planPush>;
        try {
          plan = planPush(
            request.params['client']!,
            request.query,
            await readFields(request),
            request.user ?? basicUser(request),
          );
        } catch (error) {
          if (error instanceof UserError) throw new ApiError('bad_data', error.message);
          throw error;
        }
        const outcomes = await proxy.push(plan, settings(), request.signal);
        const failed = outcomes.filter((outcome) => !outcome.ok);
        const isLost = failed.length === outcomes.length;
        return json(
          {
            status: isLost ? 'error' : failed.length > 0 ? 'partial' : 'success',
            sent: outcomes.length - failed.length,
            failed: failed.length,
            results: outcomes,
          },
          isLost ? 502 : 200,
        );
      },
    },
  ];
}

async function readFields(request: HttpRequest): Promise<Record<string, unknown>> {
  const text = (await request.body()).toString('utf8').trim();
  // The fields of a form are in the query already.
  if (text === '' || String(request.headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded'))
    return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UserError(`cannot read the request body as JSON: ${errorText(error)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new UserError('expected a JSON object');
  return value as Record<string, unknown>;
}

function basicUser(request: HttpRequest): string | undefined {
  const match = /^basic +(\S+)$/i.exec(String(request.headers['authorization'] ?? ''));
  return match ? Buffer.from(match[1]!, 'base64').toString('utf8').split(':')[0] : undefined;
}
