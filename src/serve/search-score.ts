// How well a name fits what is searched: as a part, as a subsequence, or by likeness (Jaro and Winkler). Scores lie between
// 0 and 1, the better the higher; they are those of Prometheus' search API, so that clients may compare them.

export type Score = (text: string) => number | undefined;

/** A perfect subsequence that is not the whole text scores just below the text itself. */
const NOT_EXACT = 0.999;
/** A part at the very end of a text. */
const LOWEST_PART = 0.1;
const WINKLER_PREFIX = 4;
const WINKLER_SCALE = 0.1;

/** 1 for a prefix, less the later the part stands. */
export function partScore(term: string): Score {
  const length = [...term].length;
  return (text) => {
    const at = text.indexOf(term);
    if (at < 0) return undefined;
    if (at === 0) return 1;
    const room = [...text].length - length;
    return room <= 0 ? 1 : 1 - (1 - LOWEST_PART) * ([...text.slice(0, at)].length / room);
  };
}

/** All characters in their order; long runs count most, gaps count against. */
export function subsequenceScore(term: string, threshold: number): Score {
  const wanted = [...term];
  return (text) => {
    if (text.startsWith(term)) return 1;
    const have = [...text];
    let best = -1;
    for (let start = 0; start + wanted.length <= have.length; start++) {
      if (have[start] !== wanted[0]) continue;
      const score = runsFrom(wanted, have, start);
      // What is missing after this start is missing after later ones, too.
      if (score === undefined) break;
      best = Math.max(best, score);
    }
    if (best < 0) return undefined;
    const score = (best / wanted.length ** 2) * NOT_EXACT;
    return score > 0 && score >= threshold ? score : undefined;
  };
}

/** The squares of all runs less the gaps before them; undefined when the term does not fit. */
function runsFrom(wanted: readonly string[], have: readonly string[], start: number): number | undefined {
  let score = 0;
  let end = 0;
  let at = start;
  for (let next = 0; next < wanted.length; ) {
    while (at < have.length && have[at] !== wanted[next]) at++;
    if (at === have.length) return undefined;
    const from = at;
    while (at < have.length && next < wanted.length && have[at] === wanted[next]) {
      at++;
      next++;
    }
    score += (at - from) ** 2 - (from - end) / have.length;
    end = at;
  }
  return score - (have.length - end) / have.length / 2;
}

/** A part, or else a text that is alike enough. */
export function likenessScore(term: string, threshold: number): Score {
  const part = partScore(term);
  return (text) => {
    const found = part(text);
    if (found !== undefined || threshold === 0) return found;
    const score = jaroWinkler(term, text);
    return score >= threshold ? score : undefined;
  };
}

export function jaroWinkler(a: string, b: string): number {
  if (a === b) return 1;
  const [short, long] = [[...a], [...b]].sort((x, y) => x.length - y.length) as [string[], string[]];
  if (short.length === 0) return 0;
  const reach = Math.max(Math.floor(long.length / 2) - 1, 0);
  const taken = new Array<boolean>(long.length).fill(false);
  const matched = short.filter((character, i) => {
    for (let j = Math.max(i - reach, 0); j < Math.min(i + reach + 1, long.length); j++) {
      if (taken[j] || long[j] !== character) continue;
      taken[j] = true;
      return true;
    }
    return false;
  });
  const matches = matched.length;
  if (matches === 0) return 0;
  const other = long.filter((_, j) => taken[j]);
  const swapped = matched.filter((character, i) => character !== other[i]).length;
  const jaro = (matches / short.length + matches / long.length + (matches - swapped / 2) / matches) / 3;
  let prefix = 0;
  while (prefix < Math.min(WINKLER_PREFIX, short.length) && short[prefix] === long[prefix]) prefix++;
  return jaro + prefix * WINKLER_SCALE * (1 - jaro);
}

/** The best of several terms; a text that fits none is left out. No terms fit everything. */
export function anyScore(scores: readonly Score[]): Score {
  return (text) => {
    let best: number | undefined;
    for (const score of scores) {
      const own = score(text);
      if (own !== undefined && (best === undefined || own > best)) best = own;
      if (best === 1) return best;
    }
    return best;
  };
}
