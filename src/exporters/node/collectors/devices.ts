// Devices on buses that are off by default: PCI, GPUs, NVMe subsystems with their paths.

import { Page } from '../../page.ts';
import { type CollectorMaker, type Host, lines } from '../host.ts';
import { classEntries } from './hardware.ts';

const PCI_IDS_FILES = ['/usr/share/misc/pci.ids', '/usr/share/hwdata/pci.ids'];
const POWER_STATES = ['D0', 'D1', 'D2', 'D3hot', 'D3cold', 'unknown', 'error'];
const LINK_FILES = [
  ['current_link_speed', 'current_link_transfers_per_second'],
  ['current_link_width', 'current_link_width'],
  ['max_link_speed', 'max_link_transfers_per_second'],
  ['max_link_width', 'max_link_width'],
] as const;
const PCI_FLAGS = [
  'd3cold_allowed',
  'sriov_drivers_autoprobe',
  'sriov_numvfs',
  'sriov_totalvfs',
  'sriov_vf_total_msix',
];

type PciIds = { readonly names: ReadonlyMap<string, string> };

/** Names by "vendor", "vendor:device", "vendor:device:vendor device" and "C class". */
function readPciIds(host: Host): PciIds {
  const given = host.flag('collector.pcidevice.idsfile');
  const names = new Map<string, string>();
  const text = (given === '' ? PCI_IDS_FILES : [given]).map((file) => host.files.maybe(file)).find(Boolean);
  const above: string[] = [];
  for (const line of lines(text ?? '')) {
    const match = /^(\t*)(C )?([0-9a-f]{2,4}(?: [0-9a-f]{4})?) {2}(.*)$/.exec(line);
    if (!match) continue;
    const depth = match[1]!.length;
    above.length = depth;
    above.push((match[2] ?? '') + match[3]!);
    names.set(above[0]!.startsWith('C ') ? `C ${above.join('').slice(2)}` : above.join(':'), match[4]!.trim());
  }
  return { names };
}

export const pcidevice: CollectorMaker = (host) => {
  const ids = host.flag('collector.pcidevice.names') === 'true' ? readPciIds(host) : undefined;
  return {
    collect() {
      const page = new Page();
      const folder = host.sys('bus/pci/devices');
      for (const device of classEntries(host, folder)) addPciDevice(host, page, folder, device, ids);
      return page.families();
    },
  };
};

/** 0000:45:00.0 */
function location(text: string): string[] | undefined {
  const match = /^([0-9a-f]{4}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-9a-f])$/.exec(text);
  return match ? match.slice(1) : undefined;
}

function addPciDevice(host: Host, page: Page, folder: string, device: string, ids: PciIds | undefined): void {
  const at = `${folder}/${device}`;
  const own = location(device);
  if (!own) return;
  const [segment, bus, slot, fn] = own as [string, string, string, string];
  const labels = ['bus', bus, 'device', slot, 'function', fn, 'segment', segment];
  const get = (file: string) => host.files.maybe(`${at}/${file}`);
  const target = host.files.link(at) ?? '';
  const parent = location(target.split('/').at(-2) ?? '') ?? ['*', '*', '*', '*'];
  const hex = (file: string, width: number) => `0x${(get(file) ?? '0x0').slice(2).padStart(width, '0')}`;
  const about: Record<string, string> = {
    class_id: hex('class', 6),
    vendor_id: hex('vendor', 4),
    device_id: hex('device', 4),
    subsystem_vendor_id: hex('subsystem_vendor', 4),
    subsystem_device_id: hex('subsystem_device', 4),
    revision: hex('revision', 2),
    parent_segment: parent[0]!,
    parent_bus: parent[1]!,
    parent_device: parent[2]!,
    parent_function: parent[3]!,
    segment,
    bus,
    device: slot,
    function: fn,
    ...(ids ? namesOf(ids, hex) : {}),
  };
  const info = Object.keys(about)
    .sort()
    .flatMap((name) => [name, about[name]!]);
  page.gauge('node_pcidevice_info', 'A PCI device.', 1, info);
  for (const [file, metric] of LINK_FILES) {
    const value = Number.parseFloat(get(file) ?? '');
    const scaled = file.endsWith('speed') ? value * 1e9 : value;
    page.gauge(`node_pcidevice_${metric}`, `PCI: ${file}.`, Number.isNaN(value) ? -1 : scaled, labels);
  }
  for (const file of PCI_FLAGS)
    page.gauge(`node_pcidevice_${file}`, `PCI: ${file}.`, host.files.number(`${at}/${file}`) ?? 0, labels);
  const power = get('power_state');
  if (power !== undefined)
    for (const state of POWER_STATES)
      page.gauge('node_pcidevice_power_state', 'Power state of a device.', state === power ? 1 : 0, [
        ...labels,
        'state',
        state,
      ]);
  const node = host.files.number(`${at}/numa_node`) ?? -1;
  if (node !== -1) page.gauge('node_pcidevice_numa_node', 'NUMA node of a device.', node, labels);
}

function namesOf({ names }: PciIds, hex: (file: string, width: number) => string): Record<string, string> {
  const [vendor, device, subVendor, subDevice, kind] = [
    hex('vendor', 4),
    hex('device', 4),
    hex('subsystem_vendor', 4),
    hex('subsystem_device', 4),
    hex('class', 6),
  ].map((text) => text.slice(2)) as [string, string, string, string, string];
  const className = [6, 4, 2].map((length) => names.get(`C ${kind.slice(0, length)}`)).find(Boolean);
  return {
    vendor_name: names.get(vendor) ?? vendor,
    device_name: names.get(`${vendor}:${device}`) ?? device,
    subsystem_vendor_name: names.get(subVendor) ?? subVendor,
    subsystem_device_name: names.get(`${vendor}:${device}:${subVendor} ${subDevice}`) ?? subDevice,
    class_name: className ?? kind,
  };
}

const GPU_NUMBERS = [
  ['gpu_busy_percent', 'gpu_busy_percent'],
  ['mem_info_gtt_total', 'memory_gtt_size_bytes'],
  ['mem_info_gtt_used', 'memory_gtt_used_bytes'],
  ['mem_info_vis_vram_total', 'memory_vis_vram_size_bytes'],
  ['mem_info_vis_vram_used', 'memory_vis_vram_used_bytes'],
  ['mem_info_vram_total', 'memory_vram_size_bytes'],
  ['mem_info_vram_used', 'memory_vram_used_bytes'],
] as const;

/** Graphics cards whose driver (amdgpu) tells about itself. */
export const drm: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const folder = host.sys('class/drm');
    for (const card of host.files.listMaybe(folder)) {
      const at = `${folder}/${card}/device`;
      const driver = /^DRIVER=(.*)$/m.exec(host.files.maybe(`${at}/uevent`) ?? '')?.[1];
      if (!/^card\d+$/.test(card) || driver !== 'amdgpu') continue;
      const get = (file: string) => host.files.maybe(`${at}/${file}`) ?? '';
      page.gauge('node_drm_card_info', 'A graphics card.', 1, [
        'card',
        card,
        'memory_vendor',
        get('mem_info_vram_vendor'),
        'power_performance_level',
        get('power_dpm_force_performance_level'),
        'unique_id',
        get('unique_id'),
        'vendor',
        'amd',
      ]);
      for (const [file, metric] of GPU_NUMBERS)
        page.gauge(`node_drm_${metric}`, `Graphics card: ${file}.`, host.files.number(`${at}/${file}`) ?? 0, [
          'card',
          card,
        ]);
    }
    return page.families();
  },
});

const NVME_STATES = ['connecting', 'dead', 'deleting', 'live', 'new', 'resetting', 'unknown'];

/** NVMe subsystems: the controllers are paths to the same namespaces. */
export const nvmeSubsystem: CollectorMaker = (host) => ({
  collect() {
    const page = new Page();
    const folder = host.sys('class/nvme-subsystem');
    for (const subsystem of classEntries(host, folder)) {
      const at = `${folder}/${subsystem}`;
      const get = (file: string) => host.files.maybe(`${at}/${file}`) ?? '';
      page.gauge('node_nvmesubsystem_info', 'An NVMe subsystem.', 1, [
        'iopolicy',
        get('iopolicy'),
        'model',
        get('model'),
        'nqn',
        get('subsysnqn'),
        'serial',
        get('serial'),
        'subsystem',
        subsystem,
      ]);
      let [paths, live] = [0, 0];
      for (const name of host.files.listMaybe(at)) {
        if (/^nvme\d+n\d+$/.test(name))
          page.gauge('node_nvmesubsystem_namespace_info', 'A namespace of an NVMe subsystem.', 1, [
            'device',
            name,
            'subsystem',
            subsystem,
          ]);
        if (!/^nvme\d+$/.test(name)) continue;
        const raw = get(`${name}/state`).replace('deleting (no IO)', 'deleting');
        const state = NVME_STATES.includes(raw) ? raw : 'unknown';
        paths++;
        if (state === 'live') live++;
        for (const one of NVME_STATES)
          page.gauge('node_nvmesubsystem_path_state', 'State of a path.', one === state ? 1 : 0, [
            'controller',
            name,
            'state',
            one,
            'subsystem',
            subsystem,
            'transport',
            get(`${name}/transport`),
          ]);
      }
      page.gauge('node_nvmesubsystem_paths', 'Paths of an NVMe subsystem.', paths, ['subsystem', subsystem]);
      page.gauge('node_nvmesubsystem_paths_live', 'Live paths of an NVMe subsystem.', live, ['subsystem', subsystem]);
    }
    return page.families();
  },
});
