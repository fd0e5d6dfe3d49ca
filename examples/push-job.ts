// A batch job that reports by push: counters add up over runs, the group is forgotten after two days without one, and push_up tells
// whether the job still runs every day. Run: node examples/push-job.ts http://localhost:9091

import { Counter, Gauge, Registry } from '@prometheus-io/client';
import { push } from '../instrument/index.ts';

const registry = new Registry();
const rows = new Counter({ name: 'backup_rows_total', help: 'Rows saved.', registers: [registry] });
const finished = new Gauge({
  name: 'backup_finished_timestamp_seconds',
  help: 'When it finished.',
  registers: [registry],
});

rows.inc(1000);
finished.setToCurrentTime();
await push(registry, {
  url: process.argv[2] ?? 'http://localhost:9091',
  job: 'backup',
  groupings: { database: 'shop' },
  merge: 'add',
  ttl: '2d',
  interval: '1d',
});
console.log('pushed');
