// New connections spread over the addresses of a name.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '#base/random.ts';
import { spreadingLookup } from './lookup.ts';

const ADDRESSES = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((address) => ({ address, family: 4 }));

test('every address comes first now and then, and none is lost', async () => {
  const lookup = spreadingLookup(seeded(5), (_, callback) =>
    callback(null, [...ADDRESSES, { address: '::1', family: 6 }]),
  );
  const ask = (options: { all?: boolean; family?: number }) =>
    new Promise<string[]>((resolve, reject) =>
      lookup('a', options, (error, found) => {
        if (error) reject(error);
        else resolve(typeof found === 'string' ? [found] : found.map(({ address }) => address));
      }),
    );
  const first = new Set<string>();
  for (let i = 0; i < 100; i++) {
    const all = await ask({ all: true });
    first.add(all[0]!);
    assert.deepEqual([...all].sort(), ['10.0.0.1', '10.0.0.2', '10.0.0.3', '::1']);
  }
  assert.equal(first.size, 4);
  assert.deepEqual(await ask({ family: 6 }), ['::1']);
});

test('a name without addresses is an error', () => {
  const lookup = spreadingLookup(seeded(5), (_, callback) => callback(null, []));
  lookup('nowhere', {}, (error) => assert.match(String(error), /lookup nowhere: no such host/));
});
