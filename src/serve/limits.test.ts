import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#base/clock-sim.ts';
import { Registry } from '#model/registry.ts';
import type { HttpRequest, HttpResponse } from './http.ts';
import { limitRoutes } from './limits.ts';

test('GETs beyond the limit are refused, others are not; a request that takes too long is given up', async () => {
  const clock = new SimClock(0);
  const registry = new Registry();
  const ends: ((answer: HttpResponse) => void)[] = [];
  const [route] = limitRoutes(
    [{ methods: ['GET', 'POST'], pattern: '/x', handler: () => new Promise<HttpResponse>((end) => ends.push(end)) }],
    { concurrency: 2, timeoutMs: 1000 },
    clock,
    registry,
  );
  const ask = async (method: string) => route!.handler({ method } as HttpRequest);
  const running = [ask('GET'), ask('GET'), ask('POST')];
  const refused = await ask('GET');
  assert.deepEqual(
    [refused.status, refused.body],
    [503, 'Limit of concurrent GET requests reached (2), try again later.\n'],
  );
  ends[0]!({ status: 200 });
  assert.equal((await running[0])!.status, 200);
  const again = ask('GET');
  await clock.advance(1000);
  for (const late of [running[1]!, running[2]!, again]) assert.match(String((await late).body), /timeout of 1s/);
  const value = (name: string) => registry.families().find((family) => family.name === name)?.samples[0]?.value;
  assert.equal(value('alertmanager_http_concurrency_limit_exceeded_total'), 1);
  assert.equal(value('alertmanager_http_requests_in_flight'), 2, 'what is given up is still worked on');
});
