import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { type HttpRequest, type Route, text } from './http.ts';
import { openApiRoute } from './openapi.ts';

const route = (methods: readonly string[], pattern: string): Route => ({ methods, pattern, handler: () => text('') });

const ask = async (routes: readonly Route[], query = ''): Promise<Record<string, never>> => {
  const answer = await openApiRoute(() => routes, '1.2.3').handler({
    query: new URLSearchParams(query),
  } as HttpRequest);
  assert.equal(answer.headers?.['content-type'], 'application/yaml; charset=utf-8');
  return parse(String(answer.body)) as Record<string, never>;
};

test('the description has every route of the API, with what it takes', async () => {
  const routes = [
    route(['GET', 'POST'], '/api/v1/query'),
    route(['GET'], '/api/v1/label/:name/values'),
    route(['PUT', 'DELETE'], '/api/v1/rules/groups/:namespace/:group'),
    route(['GET'], '/metrics'),
    route(['GET'], '/api/v1/*path'),
  ];
  const { openapi, info, paths } = (await ask(routes)) as unknown as {
    openapi: string;
    info: { version: string };
    paths: Record<string, Record<string, { parameters: { name: string; required: boolean }[]; requestBody?: object }>>;
  };
  assert.deepEqual([openapi, info.version], ['3.1.0', '1.2.3']);
  assert.deepEqual(
    Object.entries(paths).map(([path, item]) => `${path} ${Object.keys(item)}`),
    ['/label/{name}/values get', '/query get,post', '/rules/groups/{namespace}/{group} put,delete'],
  );
  assert.deepEqual(
    paths['/query']!['get']!.parameters.filter(({ required }) => required).map(({ name }) => name),
    ['query'],
  );
  assert.match(JSON.stringify(paths['/query']!['post']!.requestBody), /"required":\["query"\]/);
  assert.equal((await ask(routes, 'openapi_version=3.2'))['openapi'], '3.2.0');
});
