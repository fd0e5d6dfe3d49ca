// The package's surface.

export { instrumentExpress } from './express.ts';
export { instrumentFastify } from './fastify.ts';
export { instrumentHono } from './hono.ts';
export { instrumentKoa } from './koa.ts';
export { createHttpMetrics, type HttpMetrics, type InstrumentOptions, UNMATCHED } from './metrics.ts';
export { instrumentListener } from './node.ts';
export { type PushOptions, push } from './push.ts';
