// A choice among the data sources, or the default of its kind.

import { Select } from '@mantine/core';
import type { SourceRef } from '../../src/view/model.ts';
import { useText } from '../base/text.ts';
import { useSources } from './entries.ts';

export type SourceSelectProps = {
  readonly label: string;
  readonly value: SourceRef | undefined;
  readonly onChange: (source: SourceRef) => void;
};

export function SourceSelect({ label, value, onChange }: SourceSelectProps) {
  const t = useText();
  const sources = useSources().data ?? [];
  const uid = value?.uid ?? '';
  const choices = [
    { value: '', label: t('Default') },
    ...sources.map((one) => ({ value: one.uid, label: one.name })),
    ...(uid === '' || sources.some((one) => one.uid === uid) ? [] : [{ value: uid, label: uid }]),
  ];
  return (
    <Select
      size="xs"
      label={label}
      allowDeselect={false}
      data={choices}
      value={uid}
      onChange={(next) => onChange(next ? { uid: next } : {})}
    />
  );
}
