import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Matcher } from '#model/matcher.ts';
import type { TimeRange } from '#model/query.ts';
import { adminRoutes } from './admin.ts';
import { ApiError, type HttpRequest, type HttpResponse } from './http.ts';

type Deleted = { readonly matchers: readonly (readonly Matcher[])[]; readonly range: TimeRange };

function setUp(enabled = true) {
  const deleted: Deleted[] = [];
  const done: string[] = [];
  const routes = adminRoutes({
    enabled,
    delete: async (matchers, range) => {
      deleted.push({ matchers, range });
    },
    cleanTombstones: async () => {
      done.push('clean');
    },
    snapshot: async (skipHead) => {
      done.push(`snapshot ${skipHead}`);
      return '20240101T000000Z-1';
    },
    blocks: async () => [{ ulid: 'A' }],
  });
  const call = async (pattern: string, query = ''): Promise<HttpResponse> => {
    const route = routes.find((candidate) => candidate.pattern === pattern)!;
    return route.handler({ query: new URLSearchParams(query) } as HttpRequest);
  };
  return { routes, deleted, done, call };
}

const DELETE = '/api/v1/admin/tsdb/delete_series';
const CLEAN = '/api/v1/admin/tsdb/clean_tombstones';
const SNAPSHOT = '/api/v1/admin/tsdb/snapshot';
const EVER = { min: -(2 ** 52), max: 2 ** 52 };

const refused = (type: string, pattern: RegExp) => (error: unknown) =>
  error instanceof ApiError && error.type === type && pattern.test(error.message);

test('series are deleted by all selectors within the times given', async () => {
  const { deleted, call } = setUp();
  assert.equal((await call(DELETE, 'match[]=up&match[]={job="a"}')).status, 204);
  assert.equal((await call(DELETE, 'match[]=up&start=1.5&end=2020-01-01T00:00:00Z')).status, 204);
  assert.equal((await call(DELETE, 'match[]=up&start=-Inf&end=Inf')).status, 204);
  assert.deepEqual(
    deleted.map(({ range }) => range),
    [EVER, { min: 1500, max: Date.UTC(2020, 0, 1) }, EVER],
  );
  assert.deepEqual(
    deleted[0]!.matchers.map((set) => set.map(({ name, type, value }) => `${name}${type}${value}`)),
    [['__name__=up'], ['job=a']],
  );
});

test('what cannot be understood deletes nothing', async () => {
  const { deleted, call } = setUp();
  await assert.rejects(call(DELETE), refused('bad_data', /no match\[\] parameter provided/));
  await assert.rejects(call(DELETE, 'match[]=up{'), refused('bad_data', /invalid parameter "match\[\]"/));
  await assert.rejects(call(DELETE, 'match[]=up&start=soon'), refused('bad_data', /"start": cannot parse "soon"/));
  await assert.rejects(call(DELETE, 'match[]=up&end=NaN'), refused('bad_data', /"end": cannot parse "NaN"/));
  assert.deepEqual(deleted, []);
});

test('tombstones are cleaned, snapshots made with or without the head', async () => {
  const { done, call } = setUp();
  assert.equal((await call(CLEAN)).status, 204);
  for (const query of ['', 'skip_head=false', 'skip_head=1']) {
    assert.deepEqual(JSON.parse(String((await call(SNAPSHOT, query)).body)), {
      status: 'success',
      data: { name: '20240101T000000Z-1' },
    });
  }
  assert.deepEqual(done, ['clean', 'snapshot false', 'snapshot false', 'snapshot true']);
  await assert.rejects(call(SNAPSHOT, 'skip_head=maybe'), refused('bad_data', /parsing "maybe": invalid syntax/));
});

test('switched off, only blocks are shown; all that changes something takes an administrator', async () => {
  const { routes, done, deleted, call } = setUp(false);
  for (const pattern of [DELETE, CLEAN, SNAPSHOT]) {
    await assert.rejects(call(pattern, 'match[]=up'), refused('unavailable', /admin APIs disabled/));
    const route = routes.find((candidate) => candidate.pattern === pattern)!;
    assert.deepEqual([route.role, route.methods], ['admin', ['POST', 'PUT']]);
  }
  assert.deepEqual([done, deleted], [[], []]);
  assert.deepEqual(JSON.parse(String((await call('/api/v1/status/tsdb/blocks')).body)).data, {
    blocks: [{ ulid: 'A' }],
  });
});
