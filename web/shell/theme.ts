// Colours, type and shapes of the application. Contrast of text on its ground is at least 4.5 : 1 in both schemes.

import { type CSSVariablesResolver, createTheme, type MantineColorsTuple } from '@mantine/core';
import { CHART_COLORS } from '../chart/palette.ts';

const sea: MantineColorsTuple = [
  '#e6f4fb',
  '#cfe6f4',
  '#9fcce8',
  '#6cb1dc',
  '#4399d0',
  '#2a89c8',
  '#1a7cbe',
  '#0a6298',
  '#064f7d',
  '#04395b',
];

const dark: MantineColorsTuple = [
  '#d5dde8',
  '#b4c0d0',
  '#93a1b5',
  '#66758a',
  '#3a4758',
  '#2a3544',
  '#1c2531',
  '#151d27',
  '#10161f',
  '#0b1017',
];

export const THEME = createTheme({
  primaryColor: 'sea',
  primaryShade: { light: 7, dark: 7 },
  colors: { sea, dark },
  defaultRadius: 'md',
  fontFamily:
    'Inter, -apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, "JetBrains Mono", Menlo, Consolas, "Liberation Mono", monospace',
  headings: { fontWeight: '650' },
  cursorType: 'pointer',
  components: {
    Tooltip: { defaultProps: { withArrow: true, openDelay: 250 } },
    Modal: { styles: { title: { fontWeight: 650, fontSize: 17 } } },
    Drawer: { styles: { title: { fontWeight: 650, fontSize: 17 } } },
    Table: { defaultProps: { verticalSpacing: 6, horizontalSpacing: 'sm' } },
  },
});

export const variables: CSSVariablesResolver = () => ({
  variables: {},
  light: {
    '--mantine-color-dimmed': '#56637a',
    '--mantine-color-placeholder': '#68758a',
    '--mantine-color-anchor': '#0a6298',
    '--mantine-color-body': '#f6f8fb',
    '--surface': '#ffffff',
    '--surface-2': '#eff3f8',
    '--line': '#dfe5ee',
    '--chart-grid': CHART_COLORS.light.grid,
    '--chart-axis': CHART_COLORS.light.axis,
    '--good': '#18794e',
    '--warn': '#9a5b00',
    '--bad': '#c62a2f',
    '--good-soft': '#dff3e7',
    '--warn-soft': '#ffefd2',
    '--bad-soft': '#fde5e4',
    '--info-soft': '#e3f0fa',
  },
  dark: {
    '--mantine-color-dimmed': '#9aa8bb',
    '--mantine-color-placeholder': '#8694a8',
    '--mantine-color-anchor': '#7cc0ea',
    '--mantine-color-body': '#0e141c',
    '--surface': '#151d27',
    '--surface-2': '#1b2531',
    '--line': '#28333f',
    '--chart-grid': CHART_COLORS.dark.grid,
    '--chart-axis': CHART_COLORS.dark.axis,
    '--good': '#52c58b',
    '--warn': '#f0b24a',
    '--bad': '#ff8078',
    '--good-soft': '#12301f',
    '--warn-soft': '#33260d',
    '--bad-soft': '#3a1817',
    '--info-soft': '#122a3c',
  },
});
