// Countries at the date line are cut there, and nothing else is touched.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import { cutAtDateLine, type Topology, toGeoJson } from './topology.ts';

test('a square over the date line becomes two', () => {
  assert.deepEqual(
    cutAtDateLine([
      [
        [170, 0],
        [-170, 0],
        [-170, 10],
        [170, 10],
        [170, 0],
      ],
    ]).map((polygon) => {
      const longitudes = polygon[0]!.map(([x]) => x);
      return [Math.min(...longitudes), Math.max(...longitudes)];
    }),
    [
      [-180, -170],
      [170, 180],
    ],
  );
});

test('a square elsewhere stays, with its hole', () => {
  const outer: [number, number][] = [
    [0, 0],
    [9, 0],
    [9, 9],
    [0, 9],
    [0, 0],
  ];
  const hole: [number, number][] = [
    [3, 3],
    [6, 3],
    [6, 6],
    [3, 3],
  ];
  assert.deepEqual(cutAtDateLine([outer, hole]), [[outer, hole]]);
});

test('no outline of the world runs back across the map', () => {
  const file = createRequire(import.meta.url).resolve('world-atlas/countries-110m.json');
  const world = JSON.parse(fs.readFileSync(file, 'utf8')) as Topology;
  const { features } = toGeoJson(world, 'countries') as {
    features: { properties: { name: string }; geometry: { coordinates: [number, number][][][] } }[];
  };
  assert.ok(features.length > 150);
  for (const { properties, geometry } of features)
    for (const ring of geometry.coordinates.flat())
      ring.forEach(([x, y], index) => {
        assert.ok(Math.abs(x) <= 180.001, `${properties.name} leaves the map`);
        const [nextX, nextY] = ring[(index + 1) % ring.length]!;
        // The pole's edge may be as long as the map.
        if (Math.abs(y) < 85 || Math.abs(nextY) < 85)
          assert.ok(Math.abs(nextX - x) < 90, `${properties.name} crosses the map from ${x} to ${nextX} at ${y}`);
      });
});
