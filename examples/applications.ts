// One small shop in five frameworks, each instrumented in one line and showing /metrics. Run one:
//     node examples/applications.ts express 3000
// with express, fastify, koa, hono or node. Tests use the same applications.

import http from 'node:http';
import { Registry } from '@prometheus-io/client';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import {
  instrumentExpress,
  instrumentFastify,
  instrumentHono,
  instrumentKoa,
  instrumentListener,
} from '../instrument/index.ts';

export type Application = { readonly registry: Registry; readonly server: http.Server; ready(): Promise<unknown> };

const isScrape = (_: string, path: string) => path === '/metrics';
const item = (id: string) => ({ id, name: `item ${id}` });

export const APPLICATIONS: Readonly<Record<string, () => Application>> = {
  node() {
    const registry = new Registry();
    const listener: http.RequestListener = async (request, response) => {
      if (request.url === '/metrics') response.end(await registry.metrics());
      else if (request.url?.startsWith('/items/')) response.end(JSON.stringify(item(request.url.slice(7))));
      else response.writeHead(404).end();
    };
    const routeOf = (request: http.IncomingMessage) => (request.url?.startsWith('/items/') ? '/items/:id' : undefined);
    const server = http.createServer(instrumentListener(listener, routeOf, { registry, ignore: isScrape }));
    return { registry, server, ready: async () => {} };
  },

  express() {
    const registry = new Registry();
    const app = express();
    app.use(instrumentExpress({ registry, ignore: isScrape }));
    app.get('/items/:id', (request, response) => void response.json(item(request.params.id)));
    app.get('/metrics', async (_, response) => void response.type('text/plain').send(await registry.metrics()));
    return { registry, server: http.createServer(app), ready: async () => {} };
  },

  fastify() {
    const registry = new Registry();
    let server: http.Server | undefined;
    const app = fastify({
      serverFactory(handler) {
        server = http.createServer((request, response) => handler(request, response));
        return server;
      },
    });
    instrumentFastify(app, { registry, ignore: isScrape });
    app.get<{ Params: { id: string } }>('/items/:id', async (request) => item(request.params.id));
    app.get('/metrics', async (_, reply) => reply.type('text/plain').send(await registry.metrics()));
    return { registry, server: server!, ready: async () => void (await app.ready()) };
  },

  koa() {
    const registry = new Registry();
    const app = new Koa();
    app.use(instrumentKoa({ registry, ignore: isScrape }));
    app.use(async (context) => {
      const id = /^\/items\/([^/]+)$/.exec(context.path)?.[1];
      if (context.path === '/metrics') context.body = await registry.metrics();
      else if (id !== undefined) {
        context.state['route'] = '/items/:id';
        context.body = item(id);
      }
    });
    return { registry, server: http.createServer(app.callback()), ready: async () => {} };
  },

  hono() {
    const registry = new Registry();
    const app = new Hono();
    app.use(instrumentHono({ registry, ignore: isScrape }));
    app.get('/items/:id', (context) => context.json(item(context.req.param('id'))));
    app.get('/metrics', async (context) => context.text(await registry.metrics()));
    // Hono speaks Request and Response; this is all that a GET needs of an adapter.
    const server = http.createServer(async (request, response) => {
      const answer = await app.fetch(
        new Request(`http://localhost${request.url}`, { method: request.method ?? 'GET' }),
      );
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      response.end(Buffer.from(await answer.arrayBuffer()));
    });
    return { registry, server, ready: async () => {} };
  },
};

if (process.argv[1] === import.meta.filename) {
  const [name = 'node', port = '3000'] = process.argv.slice(2);
  const make = APPLICATIONS[name];
  if (!make) throw new Error(`no application ${name}; there are: ${Object.keys(APPLICATIONS).join(', ')}`);
  const application = make();
  await application.ready();
  application.server.listen(Number(port), () => console.log(`${name}: http://localhost:${port}/items/1 and /metrics`));
}
