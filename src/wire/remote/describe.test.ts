// Requests of remote write 2.0 as text.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeWriteV2 } from './describe.ts';
import { WriteV2Encoder } from './write-v2.ts';

test('series, their samples and metadata; the rest is counted', () => {
  const encoder = new WriteV2Encoder();
  const words = new Uint32Array(Float64Array.of(1.5).buffer);
  for (const name of ['a', 'b', 'c']) {
    encoder.series(['__name__', name, 'job', 'x']);
    encoder.sample(1000, 0, words[0]!, words[1]!);
    encoder.metadata({ type: 'counter', help: '', unit: '' });
  }
  assert.equal(
    describeWriteV2(encoder.finish(), 2),
    'a{job="x"} [counter] 1.5@1000; b{job="x"} [counter] 1.5@1000; 1 more',
  );
});
