// Sensors aside (hwmon.ts): power, memory errors and other hardware, a table for each class below /sys.

import { noData } from '../../collector.ts';
import { Page } from '../../page.ts';
import { compileFilter, compileSearch } from '../../pattern.ts';
import { isMissing } from '../files.ts';
import { type CollectorMaker, fields, type Host, lines } from '../host.ts';

/** Entries of a class folder; no data if there is none. */
export function classEntries(host: Host, folder: string): string[] {
  try {
    return host.files.list(folder);
  } catch (error) {
    if (isMissing(error)) throw noData(`${folder} does not exist`, error);
    throw error;
  }
}

export const thermalZone: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const folder = host.sys('class/thermal');
    for (const name of host.files.listMaybe(folder)) {
      const [, kind, number] = /^(thermal_zone|cooling_device)(\d+)$/.exec(name) ?? [];
      if (kind === undefined) continue;
      const type = host.files.maybe(`${folder}/${name}/type`) ?? '';
      const number_ = (file: string) => host.files.number(`${folder}/${name}/${file}`);
      if (kind === 'thermal_zone') {
        const temperature = number_('temp');
        if (temperature !== undefined)
          page.gauge('node_thermal_zone_temp', 'Temperature of a zone in degrees.', temperature / 1000, [
            'type',
            type,
            'zone',
            number!,
          ]);
      } else
        for (const file of ['cur_state', 'max_state'] as const) {
          const state = number_(file);
          if (state !== undefined)
            page.gauge(`node_cooling_device_${file}`, `Cooling device: ${file}.`, state, [
              'name',
              number!,
              'type',
              type,
            ]);
        }
    }
    return page.families();
  },
});

/** Files of a power supply, what they become, and the divisor. */
const POWER: readonly (readonly [file: string, metric: string, divisor: number])[] = [
  ['authentic', 'authentic', 1],
  ['calibrate', 'calibrate', 1],
  ['capacity', 'capacity', 1],
  ['capacity_alert_max', 'capacity_alert_max', 1],
  ['capacity_alert_min', 'capacity_alert_min', 1],
  ['cycle_count', 'cyclecount', 1],
  ['online', 'online', 1],
  ['present', 'present', 1],
  ['time_to_empty_now', 'time_to_empty_seconds', 1],
  ['time_to_full_now', 'time_to_full_seconds', 1],
  ['current_boot', 'current_boot', 1e6],
  ['current_max', 'current_max', 1e6],
  ['current_now', 'current_ampere', 1e6],
  ['energy_empty', 'energy_empty', 1e6],
  ['energy_empty_design', 'energy_empty_design', 1e6],
  ['energy_full', 'energy_full', 1e6],
  ['energy_full_design', 'energy_full_design', 1e6],
  ['energy_now', 'energy_watthour', 1e6],
  ['voltage_boot', 'voltage_boot', 1e6],
  ['voltage_max', 'voltage_max', 1e6],
  ['voltage_max_design', 'voltage_max_design', 1e6],
  ['voltage_min', 'voltage_min', 1e6],
  ['voltage_min_design', 'voltage_min_design', 1e6],
  ['voltage_now', 'voltage_volt', 1e6],
  ['voltage_ocv', 'voltage_ocv', 1e6],
  ['charge_control_limit', 'charge_control_limit', 1e6],
  ['charge_control_limit_max', 'charge_control_limit_max', 1e6],
  ['charge_counter', 'charge_counter', 1e6],
  ['charge_empty', 'charge_empty', 1e6],
  ['charge_empty_design', 'charge_empty_design', 1e6],
  ['charge_full', 'charge_full', 1e6],
  ['charge_full_design', 'charge_full_design', 1e6],
  ['charge_now', 'charge_ampere', 1e6],
  ['charge_term_current', 'charge_term_current', 1e6],
  ['constant_charge_current', 'constant_charge_current', 1e6],
  ['constant_charge_current_max', 'constant_charge_current_max', 1e6],
  ['constant_charge_voltage', 'constant_charge_voltage', 1e6],
  ['constant_charge_voltage_max', 'constant_charge_voltage_max', 1e6],
  ['precharge_current', 'precharge_current', 1e6],
  ['input_current_limit', 'input_current_limit', 1e6],
  ['power_now', 'power_watt', 1e6],
  ['temp', 'temp_celsius', 10],
  ['temp_alert_max', 'temp_alert_max_celsius', 10],
  ['temp_alert_min', 'temp_alert_min_celsius', 10],
  ['temp_ambient', 'temp_ambient_celsius', 10],
  ['temp_ambient_max', 'temp_ambient_max_celsius', 10],
  ['temp_ambient_min', 'temp_ambient_min_celsius', 10],
  ['temp_max', 'temp_max_celsius', 10],
  ['temp_min', 'temp_min_celsius', 10],
];
const POWER_INFO = [
  'capacity_level',
  'charge_type',
  'health',
  'manufacturer',
  'model_name',
  'scope',
  'serial_number',
  'status',
  'technology',
  'type',
  'usb_type',
];

export const powerSupply: CollectorMaker = (host) => {
  const flag = 'collector.powersupply.ignored-supplies';
  const ignored = compileSearch(host.flag(flag), flag);
  return {
    collect() {
      const page = new Page();
      const folder = host.sys('class/power_supply');
      for (const name of classEntries(host, folder)) {
        if (ignored(name)) continue;
        const present = new Set(host.files.listMaybe(`${folder}/${name}`));
        for (const [file, metric, divisor] of POWER) {
          const value = present.has(file) ? host.files.number(`${folder}/${name}/${file}`) : undefined;
          if (value !== undefined)
            page.gauge(`node_power_supply_${metric}`, `Power supply: ${file}.`, value / divisor, [
              'power_supply',
              name,
            ]);
        }
        const labels = POWER_INFO.map((file): [string, string] => [
          file,
          present.has(file) ? host.files.utf8(`${folder}/${name}/${file}`).trim() : '',
        ]);
        labels.push(['power_supply', name]);
        labels.sort((a, b) => (a[0] < b[0] ? -1 : 1));
        page.gauge('node_power_supply_info', 'A power supply.', 1, labels.flat());
      }
      return page.families();
    },
  };
};

/** Energy counters of CPU packages. */
export const rapl: CollectorMaker = (host) => {
  const withZone = host.flag('collector.rapl.enable-zone-label') === 'true';
  return {
    collect() {
      const page = new Page();
      const folder = host.sys('class/powercap');
      const seen = new Map<string, number>();
      for (const name of classEntries(host, folder)) {
        const at = `${folder}/${name}`;
        const microjoules = name.startsWith('intel-rapl') ? host.files.number(`${at}/energy_uj`) : undefined;
        const zone = host.files.maybe(`${at}/name`);
        if (microjoules === undefined || zone === undefined) continue;
        const numbered = /^(.*)-(\d+)$/.exec(zone);
        const base = numbered ? numbered[1]! : zone;
        const index = numbered ? Number(numbered[2]) : (seen.get(base) ?? 0);
        seen.set(base, index + 1);
        const labels = ['index', String(index), 'path', at];
        if (withZone)
          page.counter('node_rapl_joules_total', 'Energy used.', microjoules / 1e6, [...labels, 'rapl_zone', base]);
        else
          page.counter(
            `node_rapl_${base.replace(/[^a-zA-Z0-9_]/g, '_')}_joules_total`,
            'Energy used.',
            microjoules / 1e6,
            labels,
          );
      }
      return page.families();
    },
  };
};

/** Errors that memory controllers found. */
export const edac: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const root = host.sys('devices/system/edac/mc');
    const kinds = [
      ['ce', 'correctable'],
      ['ue', 'uncorrectable'],
    ] as const;
    for (const mc of host.files.listMaybe(root)) {
      const controller = /^mc(\d+)$/.exec(mc)?.[1];
      if (controller === undefined) continue;
      const read = (file: string) => Number(host.files.text(`${root}/${mc}/${file}`));
      for (const [short, kind] of kinds) {
        const help = `Memory errors, ${kind}.`;
        page.counter(`node_edac_${kind}_errors_total`, help, read(`${short}_count`), ['controller', controller]);
        page.counter(`node_edac_csrow_${kind}_errors_total`, help, read(`${short}_noinfo_count`), [
          'controller',
          controller,
          'csrow',
          'unknown',
        ]);
      }
      for (const row of host.files.listMaybe(`${root}/${mc}`)) {
        const csrow = /^csrow(\d+)$/.exec(row)?.[1];
        if (csrow === undefined) continue;
        for (const [short, kind] of kinds)
          page.counter(
            `node_edac_csrow_${kind}_errors_total`,
            `Memory errors, ${kind}.`,
            read(`${row}/${short}_count`),
            ['controller', controller, 'csrow', csrow],
          );
        for (const file of host.files.listMaybe(`${root}/${mc}/${row}`)) {
          const [, channel, short] = /^ch(\d+)_(ce|ue)_count$/.exec(file) ?? [];
          if (channel === undefined) continue;
          const label = host.files.maybe(`${root}/${mc}/${row}/ch${channel}_dimm_label`) ?? 'unknown';
          const kind = short === 'ce' ? 'correctable' : 'uncorrectable';
          page.counter(`node_edac_channel_${kind}_errors_total`, `Memory errors, ${kind}.`, read(`${row}/${file}`), [
            'channel',
            channel,
            'controller',
            controller,
            'csrow',
            csrow,
            'dimm_label',
            label.replaceAll('#', '').replaceAll('csrow', '_csrow').replaceAll('channel', '_channel'),
          ]);
        }
      }
    }
    return page.families();
  },
});

export const nvme: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const folder = host.sys('class/nvme');
    for (const device of classEntries(host, folder)) {
      const get = (file: string) => host.files.maybe(`${folder}/${device}/${file}`) ?? '';
      page.gauge('node_nvme_info', 'An NVMe controller.', 1, [
        'cntlid',
        get('cntlid'),
        'device',
        device,
        'firmware_revision',
        get('firmware_rev'),
        'model',
        get('model'),
        'serial',
        get('serial'),
        'state',
        get('state'),
      ]);
      for (const name of host.files.listMaybe(`${folder}/${device}`)) {
        const nsid = /^nvme\d+(?:c\d+)?n(\d+)$/.exec(name)?.[1];
        if (nsid === undefined) continue;
        const at = `${folder}/${device}/${name}`;
        const labels = ['device', device, 'nsid', nsid];
        const block = host.files.number(`${at}/queue/logical_block_size`) ?? 0;
        const size = host.files.number(`${at}/size`) ?? 0;
        page.gauge('node_nvme_namespace_info', 'An NVMe namespace.', 1, [
          'ana_state',
          host.files.maybe(`${at}/ana_state`) ?? 'unknown',
          ...labels,
        ]);
        const used = host.files.number(`${at}/nuse`) ?? 0;
        page.gauge('node_nvme_namespace_capacity_bytes', 'Capacity.', size * block, labels);
        page.gauge('node_nvme_namespace_size_bytes', 'Size.', size * block, labels);
        page.gauge('node_nvme_namespace_used_bytes', 'Space in use.', used * block, labels);
        page.gauge('node_nvme_namespace_logical_block_size_bytes', 'Size of a logical block.', block, labels);
      }
    }
    return page.families();
  },
});

export const watchdog: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const folder = host.sys('class/watchdog');
    const numbers = [
      ['access_cs0', 'access_cs0'],
      ['bootstatus', 'bootstatus'],
      ['fw_version', 'fw_version'],
      ['nowayout', 'nowayout'],
      ['pretimeout', 'pretimeout_seconds'],
      ['timeleft', 'timeleft_seconds'],
      ['timeout', 'timeout_seconds'],
    ] as const;
    for (const name of classEntries(host, folder)) {
      for (const [file, metric] of numbers) {
        const value = host.files.number(`${folder}/${name}/${file}`);
        if (value !== undefined) page.gauge(`node_watchdog_${metric}`, `Watchdog: ${file}.`, value, ['name', name]);
      }
      const get = (file: string) => host.files.maybe(`${folder}/${name}/${file}`) ?? '';
      page.gauge('node_watchdog_info', 'A watchdog.', 1, [
        'identity',
        get('identity'),
        'name',
        name,
        'options',
        get('options'),
        'pretimeout_governor',
        get('pretimeout_governor'),
        'state',
        get('state'),
        'status',
        get('status'),
      ]);
    }
    return page.families();
  },
});

const TAPE: readonly (readonly [file: string, metric: string, divisor: number])[] = [
  ['in_flight', 'io_now', 1],
  ['io_ns', 'io_time_seconds_total', 1e9],
  ['other_cnt', 'io_others_total', 1],
  ['read_byte_cnt', 'read_bytes_total', 1],
  ['read_cnt', 'reads_completed_total', 1],
  ['read_ns', 'read_time_seconds_total', 1e9],
  ['resid_cnt', 'residual_total', 1],
  ['write_byte_cnt', 'written_bytes_total', 1],
  ['write_cnt', 'writes_completed_total', 1],
  ['write_ns', 'write_time_seconds_total', 1e9],
];

export const tapestats: CollectorMaker = (host) => {
  const ignored = compileSearch(
    host.flag('collector.tapestats.ignored-devices'),
    'collector.tapestats.ignored-devices',
  );
  return {
    collect() {
      const page = new Page();
      const folder = host.sys('class/scsi_tape');
      for (const device of classEntries(host, folder)) {
        if (!/^st\d+$/.test(device) || ignored(device)) continue;
        for (const [file, metric, divisor] of TAPE) {
          const value = host.files.number(`${folder}/${device}/stats/${file}`);
          const type = metric === 'io_now' ? 'gauge' : 'counter';
          if (value !== undefined)
            page.add(type, `node_tape_${metric}`, `Tape: ${file}.`, value / divisor, ['device', device]);
        }
      }
      return page.families();
    },
  };
};

const FC_COUNTERS: readonly (readonly [file: string, metric: string])[] = [
  ['dumped_frames', 'dumped_frames_total'],
  ['error_frames', 'error_frames_total'],
  ['fcp_packet_aborts', 'fcp_packet_aborts_total'],
  ['invalid_crc_count', 'invalid_crc_total'],
  ['invalid_tx_word_count', 'invalid_tx_words_total'],
  ['link_failure_count', 'link_failure_total'],
  ['loss_of_signal_count', 'loss_of_signal_total'],
  ['loss_of_sync_count', 'loss_of_sync_total'],
  ['nos_count', 'nos_total'],
  ['rx_frames', 'rx_frames_total'],
  ['rx_words', 'rx_words_total'],
  ['seconds_since_last_reset', 'seconds_since_last_reset_total'],
  ['tx_frames', 'tx_frames_total'],
  ['tx_words', 'tx_words_total'],
];

export const fibrechannel: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const folder = host.sys('class/fc_host');
    for (const name of classEntries(host, folder)) {
      const get = (file: string) => host.files.maybe(`${folder}/${name}/${file}`) ?? '';
      const bare = (file: string) => get(file).replace(/^0x/, '');
      page.gauge('node_fibrechannel_info', 'A Fibre Channel host.', 1, [
        'dev_loss_tmo',
        get('dev_loss_tmo'),
        'fabric_name',
        bare('fabric_name'),
        'fc_host',
        name,
        'port_id',
        bare('port_id'),
        'port_name',
        bare('port_name'),
        'port_state',
        get('port_state'),
        'port_type',
        get('port_type'),
        'speed',
        get('speed'),
        'supported_classes',
        get('supported_classes'),
        'supported_speeds',
        get('supported_speeds'),
        'symbolic_name',
        get('symbolic_name'),
      ]);
      for (const [file, metric] of FC_COUNTERS) {
        const value = host.files.number(`${folder}/${name}/statistics/${file}`);
        // All bits set: the host does not count this.
        if (value !== undefined && value < 2 ** 64 - 1)
          page.counter(`node_fibrechannel_${metric}`, `Fibre Channel: ${file}.`, value, ['fc_host', name]);
      }
    }
    return page.families();
  },
});

/** Multipath maps of the device mapper and their paths. */
export const dmmultipath: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const block = host.sys('block');
    for (const name of host.files.listMaybe(block)) {
      const uuid = name.startsWith('dm-') ? host.files.maybe(`${block}/${name}/dm/uuid`) : undefined;
      if (!uuid?.startsWith('mpath-')) continue;
      const device = host.files.maybe(`${block}/${name}/dm/name`) ?? name;
      const labels = ['device', device, 'sysfs_name', name];
      const paths = host.files.listMaybe(`${block}/${name}/slaves`);
      const states = paths.map((slave) => host.files.maybe(`${block}/${slave}/device/state`) ?? 'unknown');
      const active = states.filter((state) => state === 'running' || state === 'live').length;
      const suspended = host.files.number(`${block}/${name}/dm/suspended`) ?? 0;
      page.gauge('node_dmmultipath_device_info', 'A multipath device.', 1, [...labels, 'uuid', uuid]);
      page.gauge('node_dmmultipath_device_active', 'Whether it is active.', suspended === 0 ? 1 : 0, labels);
      page.gauge(
        'node_dmmultipath_device_size_bytes',
        'Its size.',
        (host.files.number(`${block}/${name}/size`) ?? 0) * 512,
        labels,
      );
      page.gauge('node_dmmultipath_device_paths', 'Its paths.', paths.length, labels);
      page.gauge('node_dmmultipath_device_paths_active', 'Its working paths.', active, labels);
      page.gauge('node_dmmultipath_device_paths_failed', 'Its failed paths.', paths.length - active, labels);
      paths.forEach((slave, i) => {
        page.gauge('node_dmmultipath_path_state', 'The state of a path.', 1, [
          'device',
          device,
          'path',
          slave,
          'state',
          states[i]!,
        ]);
      });
    }
    if (page.families().length === 0) throw noData('there are no multipath devices');
    return page.families();
  },
});

const IB_COUNTERS: readonly (readonly [file: string, metric: string, factor: number])[] = [
  ['counters_ext/port_multicast_rcv_packets', 'legacy_multicast_packets_received_total', 1],
  ['counters_ext/port_multicast_xmit_packets', 'legacy_multicast_packets_transmitted_total', 1],
  ['counters_ext/port_rcv_data_64', 'legacy_data_received_bytes_total', 4],
  ['counters_ext/port_rcv_packets_64', 'legacy_packets_received_total', 1],
  ['counters_ext/port_unicast_rcv_packets', 'legacy_unicast_packets_received_total', 1],
  ['counters_ext/port_unicast_xmit_packets', 'legacy_unicast_packets_transmitted_total', 1],
  ['counters_ext/port_xmit_data_64', 'legacy_data_transmitted_bytes_total', 4],
  ['counters_ext/port_xmit_packets_64', 'legacy_packets_transmitted_total', 1],
  ['counters/excessive_buffer_overrun_errors', 'excessive_buffer_overrun_errors_total', 1],
  ['counters/link_downed', 'link_downed_total', 1],
  ['counters/link_error_recovery', 'link_error_recovery_total', 1],
  ['counters/local_link_integrity_errors', 'local_link_integrity_errors_total', 1],
  ['counters/multicast_rcv_packets', 'multicast_packets_received_total', 1],
  ['counters/multicast_xmit_packets', 'multicast_packets_transmitted_total', 1],
  ['counters/port_rcv_constraint_errors', 'port_constraint_errors_received_total', 1],
  ['counters/port_xmit_constraint_errors', 'port_constraint_errors_transmitted_total', 1],
  ['counters/port_rcv_data', 'port_data_received_bytes_total', 4],
  ['counters/port_xmit_data', 'port_data_transmitted_bytes_total', 4],
  ['counters/port_rcv_discards', 'port_discards_received_total', 1],
  ['counters/port_xmit_discards', 'port_discards_transmitted_total', 1],
  ['counters/port_rcv_errors', 'port_errors_received_total', 1],
  ['counters/port_rcv_packets', 'port_packets_received_total', 1],
  ['counters/port_xmit_packets', 'port_packets_transmitted_total', 1],
  ['counters/port_rcv_remote_physical_errors', 'port_receive_remote_physical_errors_total', 1],
  ['counters/port_rcv_switch_relay_errors', 'port_receive_switch_relay_errors_total', 1],
  ['counters/port_xmit_wait', 'port_transmit_wait_total', 1],
  ['counters/symbol_error', 'symbol_error_total', 1],
  ['counters/unicast_rcv_packets', 'unicast_packets_received_total', 1],
  ['counters/unicast_xmit_packets', 'unicast_packets_transmitted_total', 1],
  ['counters/VL15_dropped', 'vl15_dropped_total', 1],
];

export const infiniband: CollectorMaker = (host) => {
  const ignored = compileFilter(
    host.flag('collector.infiniband.device-exclude'),
    host.flag('collector.infiniband.device-include'),
    'collector.infiniband.device',
  );
  return {
    collect() {
      const page = new Page();
      const folder = host.sys('class/infiniband');
      for (const device of classEntries(host, folder)) {
        if (ignored(device)) continue;
        const get = (file: string) => host.files.maybe(`${folder}/${device}/${file}`) ?? '';
        page.gauge('node_infiniband_info', 'An InfiniBand device.', 1, [
          'board_id',
          get('board_id'),
          'device',
          device,
          'firmware_version',
          get('fw_ver'),
          'hca_type',
          get('hca_type'),
        ]);
        for (const port of host.files.listMaybe(`${folder}/${device}/ports`))
          addInfinibandPort(host, page, `${folder}/${device}/ports/${port}`, ['device', device, 'port', port]);
      }
      return page.families();
    },
  };
};

function addInfinibandPort(host: Host, page: Page, at: string, labels: string[]): void {
  const first = (file: string) => Number.parseFloat(host.files.maybe(`${at}/${file}`) ?? '');
  const gauge = (metric: string, help: string, value: number) => {
    if (!Number.isNaN(value)) page.gauge(`node_infiniband_${metric}`, help, value, labels);
  };
  gauge('state_id', 'State of the port.', first('state'));
  gauge('physical_state_id', 'Physical state of the port.', first('phys_state'));
  gauge('rate_bytes_per_second', 'Highest rate.', (first('rate') * 1e9) / 8);
  for (const [file, metric, factor] of IB_COUNTERS) {
    const value = host.files.number(`${at}/${file}`);
    if (value !== undefined) page.counter(`node_infiniband_${metric}`, `InfiniBand: ${file}.`, value * factor, labels);
  }
}

/** Swap devices, one series for each. */
export const swap: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    for (const line of lines(host.files.text(host.proc('swaps'))).slice(1)) {
      const [device, type, size, used, priority] = fields(line) as [string, string, string, string, string];
      const labels = ['device', device, 'swap_type', type];
      page.gauge('node_swap_size_bytes', 'Size.', Number(size) * 1024, labels);
      page.gauge('node_swap_used_bytes', 'In use.', Number(used) * 1024, labels);
      page.gauge('node_swap_priority', 'Priority.', Number(priority), labels);
    }
    return page.families();
  },
});
