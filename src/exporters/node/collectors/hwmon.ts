// Sensors below /sys/class/hwmon: temperatures, fans, voltages and the like, by chip.

import { Page } from '../../page.ts';
import { compileFilter } from '../../pattern.ts';
import type { CollectorMaker, Host } from '../host.ts';
import { classEntries } from './hardware.ts';

const SENSORS = new Set(
  'vrm beep_enable update_interval in cpu fan pwm temp curr power energy humidity intrusion freq'.split(' '),
);
const SENSOR_FILE = /^([^0-9]+)(\d*)?(_(.+))?$/;
const clean = (name: string) =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9:_]/g, '_')
    .replace(/^_+|_+$/g, '');

/** Temperatures, fans, voltages and the like. */
export const hwmon: CollectorMaker = (host) => {
  const chips = compileFilter(
    host.flag('collector.hwmon.chip-exclude'),
    host.flag('collector.hwmon.chip-include'),
    'collector.hwmon.chip',
  );
  const sensors = compileFilter(
    host.flag('collector.hwmon.sensor-exclude'),
    host.flag('collector.hwmon.sensor-include'),
    'collector.hwmon.sensor',
  );
  return {
    collect() {
      const page = new Page();
      const folder = host.sys('class/hwmon');
      const found = classEntries(host, folder)
        .map((name) => ({ name, at: `${folder}/${name}`, base: chipBase(host, `${folder}/${name}`) }))
        .filter((one) => host.files.isFolder(one.at))
        .map((one) => ({ ...one, nameFile: host.files.maybe(`${one.at}/name`) ?? '' }));
      for (const one of found) {
        const twins = found.filter((other) => other.base === one.base);
        let chip = one.base;
        if (twins.length > 1) {
          const isUnique = twins.filter((other) => other.nameFile === one.nameFile).length === 1;
          chip = `${one.base}_${(isUnique && clean(one.nameFile)) || clean(one.name)}`;
        }
        if (!chips(chip)) addChip(host, page, one.at, chip, one.nameFile, sensors);
      }
      return page.families();
    },
  };
};

/** The bus and name of the device, which stay the same over restarts; else the chip's name, else hwmonN. */
function chipBase(host: Host, at: string): string {
  const device = host.files.realPath(`${at}/device`);
  if (device !== undefined) {
    const [type, name] = device.split('/').slice(-2).map(clean) as [string, string];
    if (name !== '') return type === '' ? name : `${type}_${name}`;
  }
  const named = clean(host.files.maybe(`${at}/name`) ?? '');
  if (named !== '') return named;
  return clean((host.files.realPath(at) ?? at).split('/').at(-1)!);
}

type Sensor = { type: string; values: Map<string, string> };

function addChip(
  host: Host,
  page: Page,
  at: string,
  chip: string,
  nameFile: string,
  ignored: (name: string) => boolean,
): void {
  if (clean(nameFile) !== '')
    page.gauge('node_hwmon_chip_names', 'Names of chips.', 1, ['chip', chip, 'chip_name', clean(nameFile)]);
  const found = new Map<string, Sensor>();
  for (const folder of [at, `${at}/device`])
    for (const file of host.files.listMaybe(folder)) {
      const match = SENSOR_FILE.exec(file);
      if (!match || !SENSORS.has(match[1]!)) continue;
      const value = host.files.maybe(`${folder}/${file}`);
      if (value === undefined) continue;
      const name = `${match[1]}${match[2] ? Number(match[2]) : 0}`;
      const sensor = found.get(name) ?? { type: match[1]!, values: new Map() };
      sensor.values.set(match[4] ?? '', value);
      found.set(name, sensor);
    }
  for (const [name, sensor] of found) if (!ignored(`${chip};${name}`)) addSensor(page, chip, name, sensor);
}

function addSensor(page: Page, chip: string, name: string, { type, values }: Sensor): void {
  const labels = ['chip', chip, 'sensor', name];
  const label = values.get('label');
  if (label !== undefined)
    page.gauge('node_hwmon_sensor_label', 'Label of a sensor.', 1, ['chip', chip, 'label', label, 'sensor', name]);
  const whole = Number(values.get('') ?? Number.NaN);
  if (type === 'beep_enable') page.gauge('node_hwmon_beep_enabled', 'Beeping is on.', whole === 1 ? 1 : 0, labels);
  else if (type === 'vrm') page.gauge('node_hwmon_voltage_regulator_version', 'Voltage regulator.', whole, labels);
  else if (type === 'update_interval')
    page.gauge('node_hwmon_update_interval_seconds', 'Update interval.', whole * 0.001, labels);
  else
    for (const [element, text] of values) {
      const value = text === '' ? Number.NaN : Number(text);
      if (element === 'label' || Number.isNaN(value)) continue;
      if (type === 'freq') {
        if (element === 'input' && label !== undefined)
          page.gauge(`${elementName(type, element, values)}_freq_mhz`, 'Frequency.', value / 1e6, [
            'chip',
            chip,
            'sensor',
            clean(label),
          ]);
        continue;
      }
      addElement(page, type, element, elementName(type, element, values), value, labels);
    }
}

function elementName(type: string, element: string, values: ReadonlyMap<string, string>): string {
  if (element === 'input') return `node_hwmon_${type}${values.has('') ? '_input' : ''}`;
  return element === '' ? `node_hwmon_${type}` : `node_hwmon_${type}_${clean(element)}`;
}

function addElement(page: Page, type: string, element: string, name: string, value: number, labels: string[]): void {
  const help = `Hardware monitor: ${type} ${element}.`;
  const gauge = (suffix: string, scaled: number) => page.gauge(name + suffix, help, scaled, labels);
  if (element === 'fault' || element === 'alarm') gauge('', value);
  else if (element === 'beep') gauge('_enabled', value);
  else if (type === 'in' || type === 'cpu') gauge('_volts', value * 0.001);
  else if (type === 'temp' && element !== 'type') gauge('_celsius', value * 0.001);
  else if (type === 'curr') gauge('_amps', value * 0.001);
  else if (type === 'energy') page.counter(`${name}_joule_total`, help, value / 1e6, labels);
  else if (type === 'power' && element === 'accuracy') gauge('', value / 1e6);
  else if (type === 'power' && element.startsWith('average_interval')) gauge('_seconds', value * 0.001);
  else if (type === 'power') gauge('_watt', value / 1e6);
  else if (type === 'humidity') gauge('', value / 1e6);
  else if (type === 'fan' && ['input', 'min', 'max', 'target'].includes(element)) gauge('_rpm', value);
  else gauge('', value);
}
