// Random PromQL for tests: well-typed expressions over a small vocabulary, drawn from a seeded source, at two levels
// of the language (what Prometheus 2.42 knows, and everything).

import type { Random } from '#base/random.ts';

export type Vocabulary = {
  /** Selectors without modifiers, such as `http_requests_total{job="a"}`. */
  readonly selectors: readonly string[];
  readonly labels: readonly string[];
  /** Only what Prometheus 2.42 understands and computes alike. */
  readonly classic: boolean;
};

const SIMPLE = [
  'abs',
  'ceil',
  'floor',
  'exp',
  'sqrt',
  'ln',
  'log2',
  'log10',
  'sgn',
  'sin',
  'cos',
  'atan',
  'deg',
  'rad',
];
const OVER_TIME = [
  ...['rate', 'increase', 'delta', 'irate', 'idelta', 'changes', 'resets', 'deriv'],
  ...['sum', 'avg', 'min', 'max', 'count', 'last', 'present', 'stddev', 'stdvar'].map((name) => `${name}_over_time`),
];
const OVER_TIME_NEW = ['first_over_time', 'mad_over_time', 'ts_of_max_over_time'];
const AGGREGATORS = ['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar'];
const ARITHMETIC = ['+', '-', '*', '/', '%', '^'];
const COMPARISONS = ['==', '!=', '>', '<', '>=', '<='];
const WINDOWS = ['1m', '5m', '90s', '10m', '1h'];

export class RandomExpressions {
  readonly #random: Random;
  readonly #vocabulary: Vocabulary;

  constructor(random: Random, vocabulary: Vocabulary) {
    this.#random = random;
    this.#vocabulary = vocabulary;
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#random.below(values.length)]!;
  }

  #chance(percent: number): boolean {
    return this.#random.below(100) < percent;
  }

  vector(depth: number): string {
    if (depth <= 0) return this.#selector();
    switch (this.#random.below(9)) {
      case 0:
        return this.#selector();
      case 1:
        return `${this.#pick(SIMPLE)}(${this.vector(depth - 1)})`;
      case 2:
      case 3:
        return this.#overTime(depth);
      case 4:
      case 5:
        return this.#aggregate(depth);
      case 6:
        return this.#binary(depth);
      case 7:
        return this.#chance(50) ? `-${this.#operand(depth)}` : `(${this.vector(depth - 1)})`;
      default:
        return this.#other(depth);
    }
  }

  scalar(depth: number): string {
    if (depth <= 0 || this.#chance(60)) return this.#pick(['0', '1', '2', '0.5', '1e3', 'time()', 'pi()', '-3', '100']);
    if (this.#chance(40)) return `scalar(${this.vector(depth - 1)})`;
    return `(${this.scalar(depth - 1)} ${this.#pick(ARITHMETIC)} ${this.scalar(depth - 1)})`;
  }

  #selector(): string {
    return this.#pick(this.#vocabulary.selectors) + this.#modifiers();
  }

  #modifiers(): string {
    let text = '';
    if (this.#chance(12)) text += ` offset ${this.#pick(['1m', '7m', '-2m'])}`;
    if (this.#chance(6)) text += this.#pick([' @ start()', ' @ end()', ' @ 1600003000', ' @ 1600001234.5']);
    return text;
  }

  #range(depth: number): string {
    if (depth > 1 && this.#chance(20)) {
      const step = this.#pick(['1m', '30s', '2m']);
      return `(${this.vector(depth - 2)})[${this.#pick(WINDOWS)}:${step}]${this.#modifiers()}`;
    }
    return `${this.#pick(this.#vocabulary.selectors)}[${this.#window()}]${this.#modifiers()}`;
  }

  #window(): string {
    if (this.#vocabulary.classic || this.#chance(80)) return this.#pick(WINDOWS);
    return this.#pick([
      '5m + 1m',
      '2 * (1m + 30s)',
      '300',
      'step() * 3 + 60',
      'max_of(5m, step())',
      '0x1e0',
      '1h % 7m + 60',
    ]);
  }

  #overTime(depth: number): string {
    if (this.#chance(10)) return `quantile_over_time(${this.scalar(0)}, ${this.#range(depth)})`;
    if (this.#chance(10)) return `predict_linear(${this.#range(depth)}, ${this.scalar(0)})`;
    const names = this.#vocabulary.classic ? OVER_TIME : [...OVER_TIME, ...OVER_TIME_NEW];
    return `${this.#pick(names)}(${this.#range(depth)})`;
  }

  #labelList(): string {
    const labels = this.#vocabulary.labels.filter(() => this.#chance(40));
    return `(${labels.join(', ')})`;
  }

  #aggregate(depth: number): string {
    const inner = this.vector(depth - 1);
    const by = this.#chance(70) ? ` ${this.#pick(['by', 'without'])} ${this.#labelList()}` : '';
    if (this.#chance(10)) return `quantile${by} (${this.#pick(['0', '0.5', '0.9', '1'])}, ${inner})`;
    if (this.#chance(8)) return `count_values${by} ("value", ${inner})`;
    const op = this.#pick(AGGREGATORS);
    return this.#chance(50) ? `${op}${by} (${inner})` : `${op}(${inner})${by}`;
  }

  #operand(depth: number): string {
    const text = this.vector(depth - 1);
    return this.#chance(60) ? `(${text})` : text;
  }

  #binary(depth: number): string {
    const comparison = this.#chance(35);
    const op = comparison ? this.#pick(COMPARISONS) + (this.#chance(40) ? ' bool' : '') : this.#pick(ARITHMETIC);
    if (this.#chance(40)) {
      const scalar = this.scalar(depth - 1);
      return this.#chance(50)
        ? `(${this.vector(depth - 1)}) ${op} ${scalar}`
        : `${scalar} ${op} (${this.vector(depth - 1)})`;
    }
    if (this.#chance(30)) {
      const matching = this.#chance(50) ? ` ${this.#pick(['on', 'ignoring'])} ${this.#labelList()}` : '';
      return `(${this.vector(depth - 1)}) ${this.#pick(['and', 'or', 'unless'])}${matching} (${this.vector(depth - 1)})`;
    }
    const labels = this.#labelList();
    const fill =
      this.#vocabulary.classic || this.#chance(80)
        ? ''
        : this.#pick([' fill (0)', ' fill_left (1)', ' fill_right (-2)']);
    const one = `sum by ${labels} (${this.vector(depth - 1)})`;
    if (this.#chance(40)) return `sum by ${labels} (${this.vector(depth - 1)}) ${op}${fill} ${one}`;
    const group = this.#chance(70) ? ` group_left ${this.#chance(50) ? '()' : ''}` : '';
    return `(${this.vector(depth - 1)}) ${op} on ${labels}${group}${fill} ${one}`;
  }

  #other(depth: number): string {
    const inner = this.vector(depth - 1);
    switch (this.#random.below(8)) {
      case 0:
        return `clamp(${inner}, ${this.scalar(0)}, ${this.scalar(0)})`;
      case 1:
        return `round(${inner}${this.#chance(50) ? ', 0.5' : ''})`;
      case 2:
        return `label_replace(${inner}, "copy", "$1-x", "${this.#pick(this.#vocabulary.labels)}", "(.*)")`;
      case 3:
        return `label_join(${inner}, "joined", "-", "${this.#vocabulary.labels.join('", "')}")`;
      case 4:
        return `absent(${inner})`;
      case 5:
        return `vector(${this.scalar(depth - 1)})`;
      case 6:
        return `${this.#pick(['hour', 'minute', 'day_of_week', 'month', 'year'])}(${inner})`;
      default:
        return `timestamp(${inner})`;
    }
  }
}
