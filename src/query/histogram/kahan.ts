// Compensated summation (Neumaier's form of Kahan's) as Prometheus sums floats: `sum` and `compensation` travel together
// and are added at the very end. An infinite sum has no compensation.

export class KahanSum {
  sum = 0;
  compensation = 0;

  add(value: number): void {
    const total = this.sum + value;
    if (total === Infinity || total === -Infinity) this.compensation = 0;
    else if (Math.abs(this.sum) >= Math.abs(value)) this.compensation += this.sum - total + value;
    else this.compensation += value - total + this.sum;
    this.sum = total;
  }

  get value(): number {
    return this.sum + this.compensation;
  }
}

/** One step of the summation for sums that lie in arrays: the compensation after adding `value` to `sum`. */
export function kahanStep(sum: number, value: number, compensation: number): number {
  const total = sum + value;
  if (total === Infinity || total === -Infinity) return 0;
  return Math.abs(sum) >= Math.abs(value) ? compensation + (sum - total + value) : compensation + (value - total + sum);
}
