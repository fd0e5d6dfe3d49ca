// The table that lists stand in: its head by a list, numbers to the right, sideways scrolling by keyboard on narrow screens.

import type { ReactNode } from 'react';

export type Column = string | { readonly text: string; readonly number?: boolean; readonly width?: number | string };

export type TableProps = {
  /** Makes it a region of its own that scrolls sideways. */
  readonly label?: string;
  /** '' for a column of buttons. */
  readonly head: readonly Column[];
  /** Stands with others below one another: columns are as wide as in those. */
  readonly aligned?: boolean;
  readonly minWidth?: number;
  /** The rows. */
  readonly children: ReactNode;
};

export function Table({ label, head, aligned = false, minWidth, children }: TableProps) {
  const table = (
    <table className={aligned ? 'data aligned' : 'data'} style={minWidth === undefined ? undefined : { minWidth }}>
      <thead>
        <tr>
          {head.map((column, index) => {
            const { text, number, width } = typeof column === 'string' ? { text: column } : column;
            return (
              <th
                key={`${text}${index}`}
                className={number ? 'num' : undefined}
                style={width === undefined ? undefined : { width }}
              >
                {text}
              </th>
            );
          })}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
  if (label === undefined) return table;
  return (
    <div className="scroll" tabIndex={0} role="region" aria-label={label}>
      {table}
    </div>
  );
}
