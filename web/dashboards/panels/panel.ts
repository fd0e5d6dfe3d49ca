// What a panel's drawing gets.

import type { Scope } from '../../../src/view/interpolate.ts';
import type { Panel } from '../../../src/view/model.ts';
import type { PanelData } from '../data.ts';

export type PanelProps = {
  readonly panel: Panel;
  readonly data: PanelData;
  readonly scope: Scope;
  readonly width: number;
  readonly height: number;
};
