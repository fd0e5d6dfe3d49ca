// Where countries are: a table of codes and names with a point inside each, and geohashes, so that a map needs nobody.

const COUNTRIES: Readonly<Record<string, readonly [lon: number, lat: number, name: string]>> = {
  AE: [54, 24, 'united arab emirates'],
  AR: [-64, -34, 'argentina'],
  AT: [14, 47.5, 'austria'],
  AU: [134, -25, 'australia'],
  BD: [90, 24, 'bangladesh'],
  BE: [4.5, 50.8, 'belgium'],
  BG: [25, 43, 'bulgaria'],
  BR: [-53, -10, 'brazil'],
  CA: [-100, 58, 'canada'],
  CH: [8, 47, 'switzerland'],
  CL: [-71, -33, 'chile'],
  CN: [104, 35, 'china'],
  CO: [-73, 4, 'colombia'],
  CZ: [15.5, 49.8, 'czechia'],
  DE: [10, 51, 'germany'],
  DK: [10, 56, 'denmark'],
  DZ: [3, 28, 'algeria'],
  EE: [25.5, 58.7, 'estonia'],
  EG: [30, 27, 'egypt'],
  ES: [-4, 40, 'spain'],
  ET: [39, 8, 'ethiopia'],
  FI: [26, 64, 'finland'],
  FR: [2, 46, 'france'],
  GB: [-2, 54, 'united kingdom'],
  GR: [22, 39, 'greece'],
  HK: [114.2, 22.3, 'hong kong'],
  HR: [16, 45.3, 'croatia'],
  HU: [19.5, 47, 'hungary'],
  ID: [113, -1, 'indonesia'],
  IE: [-8, 53, 'ireland'],
  IL: [35, 31, 'israel'],
  IN: [79, 22, 'india'],
  IQ: [44, 33, 'iraq'],
  IR: [53, 32, 'iran'],
  IS: [-18, 65, 'iceland'],
  IT: [12.5, 42.8, 'italy'],
  JP: [138, 37, 'japan'],
  KE: [38, 0, 'kenya'],
  KR: [127.8, 36.3, 'south korea'],
  KZ: [67, 48, 'kazakhstan'],
  LT: [24, 55.3, 'lithuania'],
  LU: [6.1, 49.7, 'luxembourg'],
  LV: [25, 57, 'latvia'],
  MA: [-6, 32, 'morocco'],
  MX: [-102, 24, 'mexico'],
  MY: [102, 4, 'malaysia'],
  NG: [8, 9.5, 'nigeria'],
  NL: [5.5, 52.3, 'netherlands'],
  NO: [9, 61, 'norway'],
  NZ: [172, -42, 'new zealand'],
  PE: [-75, -10, 'peru'],
  PH: [122, 12, 'philippines'],
  PK: [69, 30, 'pakistan'],
  PL: [19.5, 52, 'poland'],
  PT: [-8, 39.6, 'portugal'],
  RO: [25, 46, 'romania'],
  RS: [21, 44, 'serbia'],
  RU: [96, 62, 'russia'],
  SA: [45, 24, 'saudi arabia'],
  SE: [16, 62, 'sweden'],
  SG: [103.8, 1.35, 'singapore'],
  SI: [14.8, 46.1, 'slovenia'],
  SK: [19.5, 48.7, 'slovakia'],
  TH: [101, 15, 'thailand'],
  TR: [35, 39, 'turkey'],
  TW: [121, 23.7, 'taiwan'],
  UA: [31, 49, 'ukraine'],
  US: [-98, 39, 'united states'],
  VE: [-66, 7, 'venezuela'],
  VN: [107, 15, 'vietnam'],
  ZA: [24, -29, 'south africa'],
};
const BASE32 = '0123456789bcdefghjkmnpqrstuvwxyz';

/** Longitude and latitude of a country's code or name, or of a geohash. */
export function placeOf(text: string): readonly [number, number] | undefined {
  const direct = COUNTRIES[text.toUpperCase()];
  if (direct) return [direct[0], direct[1]];
  const lower = text.toLowerCase();
  const named = Object.values(COUNTRIES).find(([, , name]) => name === lower);
  if (named) return [named[0], named[1]];
  return /^[0-9b-hjkmnp-z]{4,12}$/.test(lower) ? fromGeohash(lower) : undefined;
}

function fromGeohash(hash: string): readonly [number, number] {
  const longitude = [-180, 180] as [number, number];
  const latitude = [-90, 90] as [number, number];
  let even = true;
  for (const char of hash) {
    const bits = BASE32.indexOf(char);
    for (let bit = 4; bit >= 0; bit--) {
      const range = even ? longitude : latitude;
      range[(bits >> bit) & 1 ? 0 : 1] = (range[0] + range[1]) / 2;
      even = !even;
    }
  }
  return [(longitude[0] + longitude[1]) / 2, (latitude[0] + latitude[1]) / 2];
}
