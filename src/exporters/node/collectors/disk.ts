// Block devices: I/O counters of /proc/diskstats with what udev knows of each device.

import { Page } from '../../page.ts';
import { compileFilter } from '../../pattern.ts';
import { type CollectorMaker, fields, type Host, lines } from '../host.ts';

const SECTOR_BYTES = 512;

/** The columns after the device name: metric, and what turns the kernel's number into it. */
const COLUMNS: readonly (readonly [metric: string, factor: number, help: string])[] = [
  ['reads_completed_total', 1, 'Reads completed.'],
  ['reads_merged_total', 1, 'Reads merged.'],
  ['read_bytes_total', SECTOR_BYTES, 'Bytes read.'],
  ['read_time_seconds_total', 1e-3, 'Seconds spent by all reads.'],
  ['writes_completed_total', 1, 'Writes completed.'],
  ['writes_merged_total', 1, 'Writes merged.'],
  ['written_bytes_total', SECTOR_BYTES, 'Bytes written.'],
  ['write_time_seconds_total', 1e-3, 'Seconds spent by all writes.'],
  ['io_now', 1, 'Operations under way.'],
  ['io_time_seconds_total', 1e-3, 'Seconds in which operations were under way.'],
  ['io_time_weighted_seconds_total', 1e-3, 'Seconds of I/O, weighted by the operations under way.'],
  ['discards_completed_total', 1, 'Discards completed.'],
  ['discards_merged_total', 1, 'Discards merged.'],
  ['discarded_sectors_total', 1, 'Sectors discarded.'],
  ['discard_time_seconds_total', 1e-3, 'Seconds spent by all discards.'],
  ['flush_requests_total', 1, 'Flushes completed.'],
  ['flush_requests_time_seconds_total', 1e-3, 'Seconds spent by all flushes.'],
];

export const diskstats: CollectorMaker = (host) => {
  const exclude = host.flag('collector.diskstats.device-exclude');
  const include = host.flag('collector.diskstats.device-include');
  const ignored = compileFilter(include === '' ? exclude : '', include, 'collector.diskstats.device');
  return {
    collect() {
      const page = new Page();
      const withUdev = host.files.isFolder(host.flag('path.udev.data'));
      for (const line of lines(host.files.text(host.proc('diskstats')))) {
        const [major, minor, device, ...columns] = fields(line) as [string, string, string, ...string[]];
        if (ignored(device)) continue;
        const udev = withUdev ? udevProperties(host, major, minor) : {};
        page.gauge('node_disk_info', 'A block device.', 1, [
          'device',
          device,
          'major',
          major,
          'minor',
          minor,
          'model',
          udev['ID_MODEL'] ?? '',
          'path',
          udev['ID_PATH'] ?? '',
          'revision',
          udev['ID_REVISION'] ?? '',
          'rotational',
          host.files.maybe(host.sys('block', device, 'queue/rotational')) ?? '0',
          'serial',
          udev['SCSI_IDENT_SERIAL'] ?? udev['ID_SERIAL_SHORT'] ?? udev['ID_SERIAL'] ?? '',
          'wwn',
          udev['ID_WWN'] ?? '',
        ]);
        columns.slice(0, COLUMNS.length).forEach((value, i) => {
          {
            const [metric, factor, help] = COLUMNS[i]!;
            const kind = metric === 'io_now' ? 'gauge' : 'counter';
            // Division keeps the decimal the kernel meant; multiplying by 0.001 would not.
            const scaled = factor === 1e-3 ? Number(value) / 1000 : Number(value) * factor;
            page.add(kind, `node_disk_${metric}`, help, scaled, ['device', device]);
          }
        });
        udevFamilies(page, device, udev);
      }
      return page.families();
    },
  };
};

function udevProperties(host: Host, major: string, minor: string): Record<string, string> {
  const text = host.files.maybe(`${host.flag('path.udev.data')}/b${major}:${minor}`);
  const properties: Record<string, string> = {};
  for (const line of lines(text ?? '')) {
    if (!line.startsWith('E:')) continue;
    const at = line.indexOf('=');
    if (at > 0) properties[line.slice(2, at)] = line.slice(at + 1);
  }
  return properties;
}

function udevFamilies(page: Page, device: string, udev: Readonly<Record<string, string>>): void {
  if (udev['ID_FS_USAGE'])
    page.gauge('node_disk_filesystem_info', 'The file system on a block device.', 1, [
      'device',
      device,
      'type',
      udev['ID_FS_TYPE'] ?? '',
      'usage',
      udev['ID_FS_USAGE'],
      'uuid',
      udev['ID_FS_UUID'] ?? '',
      'version',
      udev['ID_FS_VERSION'] ?? '',
    ]);
  if (udev['DM_NAME'])
    page.gauge('node_disk_device_mapper_info', 'A device of the device mapper.', 1, [
      'device',
      device,
      'lv_layer',
      udev['DM_LV_LAYER'] ?? '',
      'lv_name',
      udev['DM_LV_NAME'] ?? '',
      'name',
      udev['DM_NAME'],
      'uuid',
      udev['DM_UUID'] ?? '',
      'vg_name',
      udev['DM_VG_NAME'] ?? '',
    ]);
  if (!udev['ID_ATA']) return;
  const ata: readonly (readonly [string, string, string])[] = [
    ['ID_ATA_WRITE_CACHE', 'ata_write_cache', 'Whether an ATA disk has a write cache.'],
    ['ID_ATA_WRITE_CACHE_ENABLED', 'ata_write_cache_enabled', 'Whether the write cache is on.'],
    ['ID_ATA_ROTATION_RATE_RPM', 'ata_rotation_rate_rpm', 'Rotations per minute, 0 for solid state.'],
  ];
  for (const [property, metric, help] of ata)
    if (udev[property] !== undefined)
      page.gauge(`node_disk_${metric}`, help, Number(udev[property]), ['device', device]);
}
