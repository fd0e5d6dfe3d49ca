// What reading a page costs per sample: series known (the usual scrape), a page seen for the first time, and the plain reader.

import { bench } from '#base/bench.ts';
import { seeded } from '#base/random.ts';
import { TextReader } from '#wire/exposition/text.ts';
import { FamilyNotes } from './families.ts';
import { LineScratch, LineTable } from './lines.ts';
import { Rows } from './rows.ts';
import { Slab } from './slab.ts';
import { type ReadOptions, SeriesTable } from './table.ts';

const OPTIONS: ReadOptions = {
  timestamp: 1000,
  honorTimestamps: true,
  trackTimestampsStaleness: false,
  maxTimestamp: 1e15,
  admit: (labels) => labels,
};

/** Counters, gauges and fractions as exporters print them. */
function pages(samples: number): Buffer[] {
  const random = seeded(3);
  return Array.from({ length: 8 }, () => {
    const lines: string[] = [];
    for (let i = 0; i < samples; i++) {
      if (i % 20 === 0) lines.push(`# HELP metric_${i} Some help text of usual length.`, `# TYPE metric_${i} counter`);
      const value =
        i % 3 === 0 ? random.below(1e6) : i % 3 === 1 ? random.next() * 100 : (random.below(1e9) / 1e3).toFixed(3);
      lines.push(`metric_${i - (i % 20)}{instance_name="host-${i % 50}",zone="eu-west-1",series="${i}"} ${value}`);
    }
    return Buffer.from(`${lines.join('\n')}\n`);
  });
}

/** OpenMetrics: every tenth line is a bucket with an exemplar, which is another in one of eight scrapes. */
function pagesWithExemplars(samples: number): Buffer[] {
  return pages(samples).map((page, number) => {
    const lines = page.toString().split('\n').slice(0, -1);
    const marked = lines.map((text, i) =>
      i % 10 === 5 && !text.startsWith('#')
        ? `${text} # {trace_id="${(number + i) % 8 === 0 ? number : 0}f${i}"} 0.25 1700000000.5`
        : text,
    );
    return Buffer.from(`${marked.join('\n')}\n# EOF\n`);
  });
}

const slab = new Slab();
const scratch = new LineScratch(slab);
const rows = new Rows(slab);

await bench([
  {
    name: 'known page through the kernel',
    unit: 'sample',
    setup(isFull) {
      const samples = isFull ? 2500 : 50;
      const bodies = pages(samples);
      const table = new LineTable(scratch);
      rows.reset();
      table.read(bodies[0]!, 'text', rows, OPTIONS);
      table.settle(Float64Array.from({ length: rows.seriesCount }, (_, i) => i));
      let next = 0;
      return () => {
        const repeats = isFull ? 100 : 1;
        for (let i = 0; i < repeats; i++) {
          rows.reset();
          table.read(bodies[next++ % bodies.length]!, 'text', rows, OPTIONS);
        }
        return repeats * samples;
      };
    },
  },
  {
    name: 'known page of OpenMetrics with exemplars',
    unit: 'sample',
    setup(isFull) {
      const samples = isFull ? 2500 : 50;
      const bodies = pagesWithExemplars(samples);
      const table = new LineTable(scratch);
      let next = 0;
      return () => {
        rows.reset();
        table.read(bodies[next++ % bodies.length]!, 'openmetrics', rows, OPTIONS);
        table.settle(Float64Array.from({ length: rows.seriesCount }, (_, i) => i));
        return samples;
      };
    },
  },
  {
    name: 'new page through the kernel',
    unit: 'sample',
    setup(isFull) {
      const samples = isFull ? 2500 : 50;
      const [body] = pages(samples);
      return () => {
        const table = new LineTable(scratch);
        rows.reset();
        table.read(body!, 'text', rows, { ...OPTIONS, plainLabels: ['instance', 'localhost:9100', 'job', 'node'] });
        table.clear();
        return samples;
      };
    },
  },
  {
    name: 'known page through the plain reader',
    unit: 'sample',
    setup(isFull) {
      const samples = isFull ? 2500 : 50;
      const bodies = pages(samples);
      const table = new SeriesTable();
      let next = 0;
      return () => {
        rows.reset();
        const reader = new TextReader('text');
        reader.reset(bodies[next++ % bodies.length]!);
        table.read(reader, rows, new FamilyNotes(), OPTIONS);
        return samples;
      };
    },
  },
]);
