// What checksums cost: every log record and every chunk goes through one.

import { bench } from './bench.ts';
import { crc32c } from './crc32c.ts';
import { seeded } from './random.ts';

await bench([
  {
    name: 'crc32c of 64 KiB',
    unit: 'byte',
    setup: (isFull) => {
      const bytes = seeded(1).bytes(65_536);
      const repeats = isFull ? 50 : 1;
      return () => {
        for (let i = 0; i < repeats; i++) crc32c(bytes);
        return repeats * bytes.length;
      };
    },
  },
]);
