// Spreads new connections over all addresses that a name has: each looks the name up and takes them in a new random order.

import dns from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { Random } from '#base/random.ts';

type Address = { readonly address: string; readonly family: number };
type LookupAll = (host: string, callback: (error: Error | null, addresses: Address[]) => void) => void;

const system: LookupAll = (host, callback) => dns.lookup(host, { all: true }, callback);

export const spreadingLookup =
  (random: Random, all: LookupAll = system): LookupFunction =>
  (host, options, callback) => {
    all(host, (error, addresses) => {
      const wanted = addresses?.filter(({ family }) => !options.family || options.family === family) ?? [];
      const shuffled = [...wanted];
      for (let i = shuffled.length - 1; i > 0; i--) {
        const k = random.below(i + 1);
        [shuffled[i], shuffled[k]] = [shuffled[k]!, shuffled[i]!];
      }
      const [first] = shuffled;
      if (error || !first) callback(error ?? new Error(`lookup ${host}: no such host`), []);
      else if (options.all) callback(null, shuffled);
      else callback(null, first.address, first.family);
    });
  };
