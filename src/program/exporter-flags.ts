// The flags of the role `exporter`.

import type { FlagTable } from '#base/flags.ts';
import { LOG_FLAGS, webFlags } from './flags.ts';

export const EXPORTER_FLAGS = {
  'config.file': {
    kind: 'text',
    default: 'exporters.yml',
    help: "Sources, queries and probe modules; blackbox_exporter's file works as it is.",
  },
  'config.check': { kind: 'boolean', default: false, help: 'Check the file and exit.' },
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
  ...LOG_FLAGS,
} as const satisfies FlagTable;
