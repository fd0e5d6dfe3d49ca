// A field for text that is code: JSON of dashboards and panels, YAML of rules.

import { Textarea } from '@mantine/core';

export function CodeField({
  label,
  value,
  onChange,
  minRows = 14,
  maxRows = 30,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  minRows?: number;
  maxRows?: number;
}) {
  return (
    <Textarea
      aria-label={label}
      autosize
      minRows={minRows}
      maxRows={maxRows}
      spellCheck={false}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 12.5 } }}
    />
  );
}
