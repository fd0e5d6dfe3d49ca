// The flags of the role `exporter`.

import type { FlagTable } from '#base/flags.ts';
import { LOG_LEVELS } from '#base/log.ts';
import { LOG_FLAGS, SYSTEMD_FLAGS, webFlags } from './flags.ts';

export const EXPORTER_FLAGS = {
  'config.file': {
    kind: 'text',
    default: 'exporters.yml',
    help: "Sources, queries and probe modules; blackbox_exporter's file works as it is.",
  },
  'config.check': { kind: 'boolean', default: false, help: 'Check the file and exit.' },
  'config.enable-auto-reload': {
    kind: 'boolean',
    default: false,
    help: 'Read the file again by itself when it has changed.',
  },
  'config.auto-reload-interval': {
    kind: 'integer',
    default: 30,
    min: 1,
    help: 'How often --config.enable-auto-reload looks, in seconds.',
  },
  'log.prober': {
    kind: 'text',
    default: 'info',
    values: LOG_LEVELS,
    help: 'Only log what probes say with the given severity or above; failures are errors, their steps debug.',
  },
  'history.limit': {
    kind: 'integer',
    default: 100,
    min: 0,
    help: 'How many probes are kept to be looked at under /logs, and as many failures before them.',
  },
  'timeout-offset': {
    kind: 'number',
    default: 0.5,
    help: "Seconds to subtract from the scraper's time-out, to answer before it gives up.",
  },
  'container.endpoint': {
    kind: 'text',
    default: '',
    help: 'Docker API (unix:///var/run/docker.sock or tcp://host:port) of the containers to measure under /metrics/containers.',
  },
  'container.labels': {
    kind: 'texts',
    help: 'Container labels that become labels container_label_*; all if none is named.',
    placeholder: 'LABEL',
  },
  'path.procfs': { kind: 'text', default: '/proc', help: 'Where procfs is mounted.' },
  'path.sysfs': { kind: 'text', default: '/sys', help: 'Where sysfs is mounted.' },
  ...webFlags(':9115'),
  ...SYSTEMD_FLAGS,
  ...LOG_FLAGS,
} as const satisfies FlagTable;
