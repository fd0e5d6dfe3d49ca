// The tracer of a thread: what it says about the process with every batch of spans.

import type { Clock } from '#base/clock.ts';
import { nodeDisk } from '#base/disk/node.ts';
import type { Logger } from '#base/log.ts';
import { systemRandom } from '#base/random.ts';
import { Tracer } from '#clients/otlp/tracer.ts';
import { VERSION } from './version.ts';

/** Spans of this process; nothing is kept until a configuration asks for it. */
export const processTracer = (clock: Clock, log: Logger, thread: string, service = 'prometheus'): Tracer =>
  new Tracer({
    clock,
    disk: nodeDisk,
    random: systemRandom,
    log,
    environment: process.env,
    resource: {
      'service.name': service,
      'service.version': VERSION,
      'process.runtime.name': 'nodejs',
      'process.runtime.version': process.versions.node,
      'process.pid': process.pid,
      'thread.name': thread,
    },
    version: VERSION,
  });
