// Zones as the system's date(1) names them, winter and summer, and beyond the last transition that a file lists.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { test } from 'node:test';
import { zoneAbbreviation } from './zone.ts';

const FOLDER = '/usr/share/zoneinfo';

test('names zones as date(1) does', { skip: fs.existsSync(FOLDER) ? false : 'no tzdata (Debian: tzdata)' }, () => {
  for (const zone of [
    'Etc/UTC',
    'Europe/Berlin',
    'America/New_York',
    'Asia/Kolkata',
    'Australia/Lord_Howe',
    'Asia/Tokyo',
  ])
    for (const when of [-1e9, 0, 1_700_000_000, 1_720_000_000, 4_000_000_000, 4_015_000_000]) {
      const env = { ...process.env, TZ: zone };
      const [name, offset] = execFileSync('date', ['-d', `@${when}`, '+%Z %z'], { env, encoding: 'utf8' })
        .trim()
        .split(' ') as [string, string];
      const sign = offset.startsWith('-') ? -1 : 1;
      const seconds = sign * (Number(offset.slice(1, 3)) * 3600 + Number(offset.slice(3)) * 60);
      const content = fs.readFileSync(`${FOLDER}/${zone}`);
      assert.equal(zoneAbbreviation(content, when, seconds), name, `${zone} at ${when}`);
    }
});

test('what is no TZif file has no name', () => {
  assert.equal(zoneAbbreviation(Buffer.from('nonsense'), 0, 0), undefined);
  assert.equal(zoneAbbreviation(Buffer.concat([Buffer.from('TZif2'), Buffer.alloc(60, 0xff)]), 0, 0), undefined);
});
