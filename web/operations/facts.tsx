// Names and values as a table, and configuration with its keys in colour: how a program is described.

import type { ReactNode } from 'react';
import { useText } from '../base/text.ts';
import { formatInstant } from '../base/time.ts';
import { Empty } from '../shell/parts.tsx';

export function Facts({ rows }: { rows: readonly (readonly [ReactNode, ReactNode])[] }) {
  const t = useText();
  return (
    <div className="surface scroll">
      {rows.length === 0 && <Empty title={t('Nothing matches the search')} />}
      <table className="data">
        <tbody>
          {rows.map(([name, value], index) => (
            <tr key={index}>
              <td style={{ width: '40%' }} className="wrap">
                {name}
              </td>
              <td className="wrap">{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const words = (name: string) => name.replace(/([a-z])([A-Z])/g, '$1 $2').replace(/^./, (first) => first.toUpperCase());

function show(value: unknown): string {
  if (typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value)) return formatInstant(Date.parse(value));
  if (typeof value === 'object' && value !== null) return JSON.stringify(value);
  return String(value);
}

/** The fields of an answer as rows. */
export const factsOf = (data: Readonly<Record<string, unknown>>): [string, string][] =>
  Object.entries(data).map(([name, value]) => [words(name), show(value)]);

export function YamlLine({ line }: { line: string }) {
  if (/^\s*#/.test(line)) return <span className="yaml-comment">{line}</span>;
  const match = /^(\s*(?:- )*)([\w.@/-]+)(:)(.*)$/.exec(line);
  if (!match) return <>{line || '\u00a0'}</>;
  return (
    <>
      {match[1]}
      <span className="yaml-key">{match[2]}</span>
      {match[3]}
      {match[4]}
    </>
  );
}
