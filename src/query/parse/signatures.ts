// The table of PromQL's functions: argument types, how many are optional, result type. One line per function:
// name, argument types (v instant vector, m range vector, s scalar, t string), optional or repeated last arguments
// (n: up to n more than all but the last, -1: any number), result type, and x for those behind a feature flag.

import type { ValueType } from './ast.ts';

export type FunctionSignature = {
  readonly name: string;
  readonly args: readonly ValueType[];
  readonly variadic: number;
  readonly returns: ValueType;
  readonly experimental: boolean;
};

const TABLE = `
abs v 0 v
absent v 0 v
absent_over_time m 0 v
acos v 0 v
acosh v 0 v
asin v 0 v
asinh v 0 v
atan v 0 v
atanh v 0 v
avg_over_time m 0 v
ceil v 0 v
changes m 0 v
clamp vss 0 v
clamp_max vs 0 v
clamp_min vs 0 v
cos v 0 v
cosh v 0 v
count_over_time m 0 v
day_of_month v 1 v
day_of_week v 1 v
day_of_year v 1 v
days_in_month v 1 v
deg v 0 v
delta m 0 v
deriv m 0 v
double_exponential_smoothing mss 0 v x
end - 0 s x
exp v 0 v
first_over_time m 0 v
floor v 0 v
histogram_avg v 0 v
histogram_count v 0 v
histogram_fraction ssv 0 v
histogram_quantile sv 0 v
histogram_quantiles vtss 9 v x
histogram_stddev v 0 v
histogram_stdvar v 0 v
histogram_sum v 0 v
hour v 1 v
idelta m 0 v
increase m 0 v
info vv 1 v x
irate m 0 v
label_join vttt -1 v
label_replace vtttt 0 v
last_over_time m 0 v
ln v 0 v
log10 v 0 v
log2 v 0 v
mad_over_time m 0 v x
max_of ss 0 s x
max_over_time m 0 v
min_of ss 0 s x
min_over_time m 0 v
minute v 1 v
month v 1 v
pi - 0 s
predict_linear ms 0 v
present_over_time m 0 v
quantile_over_time sm 0 v
rad v 0 v
range - 0 s x
rate m 0 v
resets m 0 v
round vs 1 v
scalar v 0 s
sgn v 0 v
sin v 0 v
sinh v 0 v
sort v 0 v
sort_by_label vt -1 v x
sort_by_label_desc vt -1 v x
sort_desc v 0 v
sqrt v 0 v
start - 0 s x
start_timestamp v 0 v x
stddev_over_time m 0 v
stdvar_over_time m 0 v
step - 0 s x
sum_over_time m 0 v
tan v 0 v
tanh v 0 v
time - 0 s
timestamp v 0 v
ts_of_first_over_time m 0 v x
ts_of_last_over_time m 0 v x
ts_of_max_over_time m 0 v x
ts_of_min_over_time m 0 v x
vector s 0 v
year v 1 v
`;

const TYPES: Readonly<Record<string, ValueType>> = { v: 'vector', m: 'matrix', s: 'scalar', t: 'string' };

export const FUNCTIONS: ReadonlyMap<string, FunctionSignature> = new Map(
  TABLE.trim()
    .split('\n')
    .map((line) => {
      const [name, args, variadic, returns, flag] = line.split(' ') as [string, string, string, string, string?];
      const signature: FunctionSignature = {
        name,
        args: args === '-' ? [] : [...args].map((letter) => TYPES[letter]!),
        variadic: Number(variadic),
        returns: TYPES[returns]!,
        experimental: flag === 'x',
      };
      return [name, signature];
    }),
);
