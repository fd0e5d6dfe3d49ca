// Alertmanager's addresses lead to the pages that show the same.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromAlertmanagerFragment } from './addresses.ts';

test('fragments of notifications', () => {
  const cases: readonly (readonly [hash: string, to: string | undefined])[] = [
    ['', undefined],
    ['#content', undefined],
    ['#/alerts', '/alert-groups'],
    ['#/alerts?receiver=ops', '/alert-groups?receiver=ops'],
    [
      '#/alerts?silenced=false&inhibited=true&filter=%7Ba%3D%22b%22%7D',
      '/alert-groups?filter=%7Ba%3D%22b%22%7D&silenced=false&inhibited=true',
    ],
    ['#/silences', '/silences'],
    ['#/silences/new', '/silences?new=+'],
    ['#/silences/new?filter=%7Ba%3D%22b%22%7D', '/silences?new=%7Ba%3D%22b%22%7D'],
    ['#/silences/1f-2c', '/silences?id=1f-2c'],
    ['#/silences/1f-2c/edit', '/silences?id=1f-2c'],
    ['#/status', '/status'],
  ];
  for (const [hash, to] of cases) assert.equal(fromAlertmanagerFragment(hash), to, hash);
});
