// How well the kernel's clock is disciplined, from adjtimex(2).

import { Page } from '../../page.ts';
import { Adjtimex } from '../adjtimex.ts';
import type { CollectorMaker } from '../host.ts';

const NOT_SYNCHRONIZED = 5;
/** A bit of the status: times are in nanoseconds, not microseconds. */
const IN_NANOSECONDS = 0x2000;
const MICRO = 1e6;
/** Frequencies are in millionths, shifted by 16 bits. */
const PPM = 1e6 * 65536;

export const timex: CollectorMaker = () => {
  const adjtimex = new Adjtimex();
  return {
    async collect() {
      const page = new Page();
      const clock = await adjtimex.ask();
      const unit = clock.status & IN_NANOSECONDS ? 1e9 : MICRO;
      const gauge = (name: string, help: string, value: number) => page.gauge(`node_timex_${name}`, help, value);
      const counter = (name: string, help: string, value: number) => page.counter(`node_timex_${name}`, help, value);
      gauge('sync_status', 'Whether the clock is synchronized.', clock.result === NOT_SYNCHRONIZED ? 0 : 1);
      gauge('offset_seconds', 'Offset between this clock and its reference.', clock.offset / unit);
      gauge('frequency_adjustment_ratio', 'Adjustment of the clock frequency.', 1 + clock.freq / PPM);
      gauge('maxerror_seconds', 'Largest error.', clock.maxerror / MICRO);
      gauge('estimated_error_seconds', 'Estimated error.', clock.esterror / MICRO);
      gauge('status', 'Status bits of the clock.', clock.status);
      gauge('loop_time_constant', 'Time constant of the phase-locked loop.', clock.constant);
      gauge('tick_seconds', 'Time between ticks.', clock.tick / MICRO);
      const { pps } = clock;
      if (pps) {
        gauge('pps_frequency_hertz', 'Frequency of the pulse per second.', pps.freq / PPM);
        gauge('pps_jitter_seconds', 'Jitter of the pulse per second.', pps.jitter / unit);
        gauge('pps_shift_seconds', 'Interval of the pulse per second.', pps.shift);
        gauge('pps_stability_hertz', 'Stability of the pulse per second.', pps.stabil / PPM);
        counter('pps_jitter_total', 'Pulses with too much jitter.', pps.jitcnt);
        counter('pps_calibration_total', 'Calibration intervals.', pps.calcnt);
        counter('pps_error_total', 'Calibration errors.', pps.errcnt);
        counter('pps_stability_exceeded_total', 'Pulses that were too unstable.', pps.stbcnt);
        gauge('tai_offset_seconds', 'Offset of International Atomic Time.', pps.tai);
      }
      return page.families();
    },
  };
};
