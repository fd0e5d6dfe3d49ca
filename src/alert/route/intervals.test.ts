import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadYaml } from '#base/config/load.ts';
import { containsTime, timeIntervalSchema } from './intervals.ts';

const contains = (yaml: string, time: string) =>
  containsTime(loadYaml(yaml, timeIntervalSchema, 'i.yml'), Date.parse(time));

test('parts, ranges, negative days, zones', () => {
  const yes: [string, string][] = [
    ['{}', '2024-02-29T12:00:00Z'],
    ["weekdays: ['monday:friday']\ntimes: [{start_time: '09:00', end_time: '17:00'}]", '2024-03-04T09:00:00Z'],
    ["days_of_month: ['-1']", '2024-02-29T00:00:00Z'],
    ["days_of_month: ['-3:-1']", '2023-02-26T00:00:00Z'],
    ["days_of_month: ['28:31']", '2023-02-28T00:00:00Z'],
    ["months: ['january:march', '5']", '2024-05-01T00:00:00Z'],
    ["years: ['2020:2022', '2024']", '2024-05-01T00:00:00Z'],
    ["times: [{start_time: '23:00', end_time: '24:00'}]", '2024-05-01T23:59:59Z'],
    ["times: [{start_time: '09:00', end_time: '10:00'}]\nlocation: Asia/Shanghai", '2024-05-01T01:30:00Z'],
    ['weekdays: [tuesday]\nlocation: Asia/Shanghai', '2024-03-04T20:00:00Z'],
  ];
  for (const [yaml, time] of yes) assert.equal(contains(yaml, time), true, `${yaml} at ${time}`);
  const no: [string, string][] = [
    ["times: [{start_time: '09:00', end_time: '17:00'}]", '2024-03-04T17:00:00Z'],
    ["weekdays: ['monday:friday']", '2024-03-03T12:00:00Z'],
    ["days_of_month: ['-1']", '2024-02-28T00:00:00Z'],
    ["days_of_month: ['31']", '2024-02-29T00:00:00Z'],
    ["years: ['2020']", '2024-05-01T00:00:00Z'],
    ["times: [{start_time: '09:00', end_time: '10:00'}]\nlocation: Europe/Berlin", '2024-07-01T09:30:00Z'],
  ];
  for (const [yaml, time] of no) assert.equal(contains(yaml, time), false, `${yaml} at ${time}`);
});

test('mistakes', () => {
  const wrong: [string, RegExp][] = [
    ["times: [{start_time: '25:00', end_time: '10:00'}]", /couldn't parse timestamp 25:00, invalid format/],
    ["times: [{start_time: '11:00', end_time: '10:00'}]", /start time cannot be equal or greater than end time/],
    ['weekdays: [someday]', /someday is not a valid weekday/],
    ["days_of_month: ['0']", /0 is not a valid day of the month: out of range/],
    ["days_of_month: ['-2:3']", /end day must be negative if start day is negative/],
    ["months: ['june:may']", /end month is before start month/],
    ['location: Mars/Base', /unknown time zone Mars\/Base/],
  ];
  for (const [yaml, pattern] of wrong) assert.throws(() => loadYaml(yaml, timeIntervalSchema, 'i.yml'), pattern);
});
