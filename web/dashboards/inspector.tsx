// A panel's queries as they were sent, what came with the answers, and its data as a table and as CSV.

import { frameLength } from '../../src/view/frame.ts';
import type { Scope } from '../../src/view/interpolate.ts';
import type { Panel } from '../../src/view/model.ts';
import { useText } from '../base/text.ts';
import { Icon } from '../shell/icons.tsx';
import type { PanelData } from './data.ts';
import { downloadText } from './export.ts';
import { TablePanel } from './panels/table.tsx';

export function Inspector({ panel, scope, data }: { panel: Panel; scope: Scope; data: PanelData }) {
  const t = useText();
  return (
    <>
      {data.asked.map((one) => (
        <div key={one.ref} style={{ marginBottom: 8 }}>
          <b>{one.ref}</b> <span className="dim">{one.source.name}</span>
          <pre className="code surface" style={{ whiteSpace: 'pre-wrap' }}>
            {one.expr}
          </pre>
        </div>
      ))}
      {[...data.errors, ...data.warnings].map((text) => (
        <p key={text} style={{ color: 'var(--warn)' }} className="wrap">
          {text}
        </p>
      ))}
      <button
        type="button"
        className="item"
        style={{ width: 'auto' }}
        onClick={() => downloadText(`panel-${panel.id}.csv`, toCsv(data), 'text/csv')}
      >
        <Icon name="download" size={16} /> {t('Download as CSV')}
      </button>
      <TablePanel panel={panel} data={data} scope={scope} width={900} height={420} />
    </>
  );
}

function toCsv(data: PanelData): string {
  const quote = (value: unknown) =>
    value === null || value === undefined
      ? ''
      : /[",\n]/.test(String(value))
        ? `"${String(value).replaceAll('"', '""')}"`
        : String(value);
  return data.frames
    .map((frame) => {
      const head = frame.fields.map((field) => quote(field.legend ?? field.name)).join(',');
      const rows = [...Array(frameLength(frame)).keys()].map((row) =>
        frame.fields
          .map((field) =>
            quote(
              field.kind === 'time' && typeof field.values[row] === 'number'
                ? new Date(field.values[row] as number).toISOString()
                : field.values[row],
            ),
          )
          .join(','),
      );
      return [head, ...rows].join('\n');
    })
    .join('\n\n');
}
