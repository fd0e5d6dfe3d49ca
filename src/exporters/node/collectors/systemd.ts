// Units of systemd and their states, asked of `systemctl show`: one process per scrape instead of a D-Bus connection held open.

import { execFile } from 'node:child_process';
import { OperatingError } from '#base/errors.ts';
import { noData } from '../../collector.ts';
import { Page } from '../../page.ts';
import { compileFilter } from '../../pattern.ts';
import type { CollectorMaker } from '../host.ts';

const STATES = ['active', 'activating', 'deactivating', 'inactive', 'failed'];
const PROPERTIES = [
  'Id',
  'ActiveState',
  'LoadState',
  'Type',
  'NRestarts',
  'TasksCurrent',
  'TasksMax',
  'ActiveEnterTimestampMonotonic',
  'NAccepted',
  'NConnections',
  'NRefused',
  'LastTriggerUSec',
];
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

function systemctl(args: readonly string[], signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      'systemctl',
      args,
      { signal, maxBuffer: MAX_OUTPUT_BYTES, env: { ...process.env, LC_ALL: 'C' } },
      (error, out, err) => {
        if (!error) resolve(out);
        else if (/not been booted with systemd|Failed to connect to bus/.test(err)) reject(noData(err.trim()));
        else reject(new OperatingError('systemd', `cannot ask systemd: ${err.trim() || error.message}`));
      },
    );
  });
}

export const systemd: CollectorMaker = (host) => {
  const ignored = compileFilter(host.flag('collector.systemd.unit-exclude'), '', 'collector.systemd.unit');
  const wanted = compileFilter('', host.flag('collector.systemd.unit-include'), 'collector.systemd.unit');
  const withTasks = host.flag('collector.systemd.enable-task-metrics') === 'true';
  const withRestarts = host.flag('collector.systemd.enable-restarts-metrics') === 'true';
  const withStarts = host.flag('collector.systemd.enable-start-time-metrics') === 'true';
  return {
    async collect(signal) {
      const [manager, units] = await Promise.all([
        systemctl(['show', '--property=Version,SystemState'], signal),
        systemctl(['show', '--all', `--property=${PROPERTIES.join(',')}`, '*'], signal),
      ]);
      const page = new Page();
      const about = properties(manager);
      page.gauge('node_systemd_version', 'The version of systemd.', Number.parseFloat(about['Version'] ?? ''), [
        'version',
        about['Version'] ?? '',
      ]);
      page.gauge('node_systemd_system_running', 'Whether the system runs.', about['SystemState'] === 'running' ? 1 : 0);
      const counts = new Map(STATES.map((state) => [state, 0]));
      for (const block of units.split('\n\n')) {
        const unit = properties(block);
        const name = unit['Id'];
        const state = unit['ActiveState'] ?? '';
        if (name === undefined) continue;
        counts.set(state, (counts.get(state) ?? 0) + 1);
        if (unit['LoadState'] !== 'loaded' || wanted(name) || ignored(name)) continue;
        for (const one of STATES)
          page.gauge('node_systemd_unit_state', 'State of a unit.', one === state ? 1 : 0, [
            'name',
            name,
            'state',
            one,
            'type',
            unit['Type'] ?? '',
          ]);
        const labels = ['name', name];
        const number = (property: string) => Number(unit[property] || Number.NaN);
        if (withRestarts && name.endsWith('.service'))
          page.counter(
            'node_systemd_service_restart_total',
            'Restarts of a service.',
            number('NRestarts') || 0,
            labels,
          );
        if (withTasks && Number.isFinite(number('TasksCurrent')) && number('TasksCurrent') < 2 ** 63) {
          page.gauge('node_systemd_unit_tasks_current', 'Tasks of a unit.', number('TasksCurrent'), labels);
          page.gauge('node_systemd_unit_tasks_max', 'Most tasks of a unit.', number('TasksMax'), labels);
        }
        if (withStarts && state === 'active')
          page.gauge(
            'node_systemd_unit_start_time_seconds',
            'When a unit was started.',
            bootSeconds(host.files.text(host.proc('stat'))) + number('ActiveEnterTimestampMonotonic') / 1e6,
            labels,
          );
        if (name.endsWith('.socket')) {
          page.counter(
            'node_systemd_socket_accepted_connections_total',
            'Connections accepted.',
            number('NAccepted') || 0,
            labels,
          );
          page.gauge(
            'node_systemd_socket_current_connections',
            'Connections open.',
            number('NConnections') || 0,
            labels,
          );
          page.counter(
            'node_systemd_socket_refused_connections_total',
            'Connections refused.',
            number('NRefused') || 0,
            labels,
          );
        }
        if (name.endsWith('.timer') && unit['LastTriggerUSec'])
          page.gauge(
            'node_systemd_timer_last_trigger_seconds',
            'When a timer last ran.',
            (Date.parse(unit['LastTriggerUSec']) || 0) / 1000,
            labels,
          );
      }
      for (const [state, count] of counts) page.gauge('node_systemd_units', 'Units by state.', count, ['state', state]);
      return page.families();
    },
  };
};

function properties(text: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    if (at > 0) found[line.slice(0, at)] = line.slice(at + 1);
  }
  return found;
}

const bootSeconds = (stat: string) => Number(/^btime (\d+)/m.exec(stat)?.[1] ?? 0);
