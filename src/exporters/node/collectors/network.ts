// Network devices: traffic counters of /proc/net/dev and properties below /sys/class/net, bonds among them.

import os from 'node:os';
import { noData } from '../../collector.ts';
import { Page } from '../../page.ts';
import { compileFilter, compileSearch } from '../../pattern.ts';
import { isMissing } from '../files.ts';
import { type CollectorMaker, fields, type Host, lines } from '../host.ts';

const COLUMNS = [
  'receive_bytes',
  'receive_packets',
  'receive_errs',
  'receive_drop',
  'receive_fifo',
  'receive_frame',
  'receive_compressed',
  'receive_multicast',
  'transmit_bytes',
  'transmit_packets',
  'transmit_errs',
  'transmit_drop',
  'transmit_fifo',
  'transmit_colls',
  'transmit_carrier',
  'transmit_compressed',
];

/** With detailed metrics the names are the kernel's, and every counter of a device has one; files below its statistics. */
const DETAILED: readonly (readonly [file: string, metric: string])[] = [
  ['collisions', 'collisions'],
  ['multicast', 'multicast'],
  ['rx_bytes', 'receive_bytes'],
  ['rx_compressed', 'receive_compressed'],
  ['rx_crc_errors', 'receive_crc_errors'],
  ['rx_dropped', 'receive_dropped'],
  ['rx_errors', 'receive_errors'],
  ['rx_fifo_errors', 'receive_fifo_errors'],
  ['rx_frame_errors', 'receive_frame_errors'],
  ['rx_length_errors', 'receive_length_errors'],
  ['rx_missed_errors', 'receive_missed_errors'],
  ['rx_nohandler', 'receive_nohandler'],
  ['rx_over_errors', 'receive_over_errors'],
  ['rx_packets', 'receive_packets'],
  ['tx_aborted_errors', 'transmit_aborted_errors'],
  ['tx_bytes', 'transmit_bytes'],
  ['tx_carrier_errors', 'transmit_carrier_errors'],
  ['tx_compressed', 'transmit_compressed'],
  ['tx_dropped', 'transmit_dropped'],
  ['tx_errors', 'transmit_errors'],
  ['tx_fifo_errors', 'transmit_fifo_errors'],
  ['tx_heartbeat_errors', 'transmit_heartbeat_errors'],
  ['tx_packets', 'transmit_packets'],
  ['tx_window_errors', 'transmit_window_errors'],
];

export const netdev: CollectorMaker = (host) => {
  const include = host.flag('collector.netdev.device-include');
  const ignored = compileFilter(host.flag('collector.netdev.device-exclude'), include, 'collector.netdev.device');
  const withAlias = host.flag('collector.netdev.label-ifalias') === 'true';
  const withAddresses = host.flag('collector.netdev.address-info') === 'true';
  const isDetailed = host.flag('collector.netdev.enable-detailed-metrics') === 'true';
  const count = (page: Page, metric: string, value: number, labels: readonly string[]) =>
    page.counter(`node_network_${metric}_total`, `Network: ${metric}.`, value, labels);
  return {
    collect() {
      const page = new Page();
      for (const line of lines(host.files.text(host.proc('net/dev'))).slice(2)) {
        const at = line.lastIndexOf(':');
        const device = line.slice(0, at).trim();
        if (at < 0 || ignored(device)) continue;
        const alias = withAlias ? (host.files.maybe(host.sys('class/net', device, 'ifalias')) ?? '') : '';
        const labels = ['device', device, 'ifalias', alias];
        const statistic = (file: string) => host.files.number(host.sys('class/net', device, 'statistics', file));
        if (isDetailed) {
          for (const [file, metric] of DETAILED) {
            const value = statistic(file);
            if (value !== undefined) count(page, metric, value, labels);
          }
          continue;
        }
        fields(line.slice(at + 1)).forEach((value, i) => {
          const metric = COLUMNS[i];
          if (metric) count(page, metric, Number(value), labels);
        });
        const unhandled = statistic('rx_nohandler');
        if (unhandled !== undefined) count(page, 'receive_nohandler', unhandled, labels);
      }
      if (withAddresses) addresses(page, ignored);
      return page.families();
    },
  };
};

function addresses(page: Page, ignored: (device: string) => boolean): void {
  for (const [device, list] of Object.entries(os.networkInterfaces())) {
    if (ignored(device)) continue;
    for (const { address, netmask, family, scopeid } of list ?? []) {
      const scope = address.startsWith('127.') || address === '::1' ? 'host' : scopeid ? 'link-local' : 'global';
      page.gauge('node_network_address_info', 'An address of a device.', 1, [
        'address',
        address,
        'device',
        device,
        'netmask',
        String(prefixLength(netmask, family)),
        'scope',
        scope,
      ]);
    }
  }
}

function prefixLength(netmask: string, family: string): number {
  const parts = family === 'IPv4' ? netmask.split('.') : netmask.split(':');
  let bits = 0;
  for (const part of parts)
    for (let word = Number.parseInt(part || '0', family === 'IPv4' ? 10 : 16); word > 0; word >>>= 1) bits += word & 1;
  return bits;
}

/** Property files of a device and the metrics they become; values may be hexadecimal. */
const PROPERTIES: readonly (readonly [file: string, metric: string])[] = [
  ['addr_assign_type', 'address_assign_type'],
  ['carrier', 'carrier'],
  ['carrier_changes', 'carrier_changes_total'],
  ['carrier_up_count', 'carrier_up_changes_total'],
  ['carrier_down_count', 'carrier_down_changes_total'],
  ['dev_id', 'device_id'],
  ['dormant', 'dormant'],
  ['flags', 'flags'],
  ['ifindex', 'iface_id'],
  ['iflink', 'iface_link'],
  ['link_mode', 'iface_link_mode'],
  ['mtu', 'mtu_bytes'],
  ['name_assign_type', 'name_assign_type'],
  ['netdev_group', 'net_dev_group'],
  ['speed', 'speed_bytes'],
  ['tx_queue_len', 'transmit_queue_length'],
  ['type', 'protocol_type'],
];

export const netclass: CollectorMaker = (host) => {
  const ignored = compileSearch(host.flag('collector.netclass.ignored-devices'), 'collector.netclass.ignored-devices');
  const skipInvalidSpeed = host.flag('collector.netclass.ignore-invalid-speed') === 'true';
  return {
    collect() {
      const folder = host.sys('class/net');
      let devices: string[];
      try {
        devices = host.files.list(folder);
      } catch (error) {
        if (isMissing(error)) throw noData(`${folder} does not exist`, error);
        throw error;
      }
      const page = new Page();
      for (const device of devices) {
        if (ignored(device) || !host.files.isFolder(`${folder}/${device}`)) continue;
        addDevice(host, page, `${folder}/${device}`, device, skipInvalidSpeed);
      }
      return page.families();
    },
  };
};

function addDevice(host: Host, page: Page, folder: string, device: string, skipInvalidSpeed: boolean): void {
  const get = (file: string) => host.files.maybe(`${folder}/${file}`) ?? '';
  const labels = ['device', device];
  const state = get('operstate');
  const flags = host.files.number(`${folder}/flags`);
  page.gauge('node_network_up', 'Whether the device is up.', state === 'up' ? 1 : 0, labels);
  page.gauge('node_network_info', 'Properties of a network device.', 1, [
    'address',
    get('address'),
    'adminstate',
    flags === undefined ? 'unknown' : flags & 1 ? 'up' : 'down',
    'broadcast',
    get('broadcast'),
    'device',
    device,
    'duplex',
    get('duplex'),
    'ifalias',
    get('ifalias'),
    'operstate',
    state,
  ]);
  for (const [file, metric] of PROPERTIES) {
    const value = file === 'flags' ? flags : host.files.number(`${folder}/${file}`);
    if (value === undefined) continue;
    if (file === 'speed') {
      if (value >= 0 || !skipInvalidSpeed)
        page.gauge('node_network_speed_bytes', 'Speed of the device in bytes per second.', value * 125_000, labels);
    } else
      page.add(
        metric.endsWith('_total') ? 'counter' : 'gauge',
        `node_network_${metric}`,
        `Network device property ${file}.`,
        value,
        labels,
      );
  }
}

export const bonding: CollectorMaker = (host) => ({
  collect() {
    const folder = host.sys('class/net');
    let masters: string[];
    try {
      masters = fields(host.files.text(`${folder}/bonding_masters`)).filter((name) => name !== '');
    } catch (error) {
      if (isMissing(error)) throw noData('no bonding_masters below class/net', error);
      throw error;
    }
    const page = new Page();
    for (const master of masters) {
      const slaves = fields(host.files.text(`${folder}/${master}/bonding/slaves`)).filter((name) => name !== '');
      const active = slaves.filter((slave) => {
        const state =
          host.files.maybe(`${folder}/${master}/lower_${slave}/bonding_slave/mii_status`) ??
          host.files.maybe(`${folder}/${master}/slave_${slave}/bonding_slave/mii_status`);
        return state === 'up';
      });
      page.gauge('node_bonding_slaves', 'Slaves configured per bond.', slaves.length, ['master', master]);
      page.gauge('node_bonding_active', 'Active slaves per bond.', active.length, ['master', master]);
    }
    return page.families();
  },
});
