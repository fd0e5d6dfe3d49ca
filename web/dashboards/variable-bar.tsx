// The variables of a dashboard above its panels: what can be chosen, and what is; choices stand in the address.

import { Group, MultiSelect, Select } from '@mantine/core';
import { useEffect, useState } from 'react';
import { changeQuery, useLocation } from '../base/router.tsx';
import { localized, useText } from '../base/text.ts';
import { type Filter, FilterField, filtersIn } from './filters.tsx';
import { ALL, type Resolved } from './variables.ts';

/** The ad hoc filters in force: those of the address, else the dashboard's own. */
export const filtersOf = (resolved: readonly Resolved[], query: URLSearchParams): readonly Filter[] =>
  resolved.flatMap(({ variable }) =>
    variable.kind === 'adhoc' ? (filtersIn(query, variable.name) ?? variable.filters ?? []) : [],
  );

export function VariableBar({ resolved }: { resolved: readonly Resolved[] }) {
  return (
    <Group gap="sm" mb={10} className="no-print" align="flex-end">
      {resolved
        .filter(({ variable }) => variable.hide !== 'variable' && variable.kind !== 'constant')
        .map((one) => (
          <VariableField key={one.variable.name} resolved={one} />
        ))}
    </Group>
  );
}

const setVariable = (name: string, values: readonly string[]): void => changeQuery({ [`var-${name}`]: values });

function VariableField({ resolved: { variable, options, chosen, isAll, error } }: { resolved: Resolved }) {
  const t = useText();
  const label = variable.hide === 'label' ? undefined : localized(variable.label) || variable.name;
  const { query } = useLocation();
  const named = { 'aria-label': localized(variable.label) || variable.name };
  if (variable.kind === 'textbox') {
    return <TextBox label={label} name={variable.name} value={chosen[0] ?? ''} />;
  }
  if (variable.kind === 'adhoc')
    return <FilterField variable={variable} filters={filtersIn(query, variable.name) ?? variable.filters ?? []} />;
  const data = [
    ...(variable.all ? [{ value: ALL, label: t('All') }] : []),
    ...options.slice(0, 1000).map((option) => ({ value: option.value, label: option.text })),
  ].filter((one, index, list) => list.findIndex((other) => other.value === one.value) === index);
  for (const value of chosen) if (!data.some((one) => one.value === value)) data.push({ value, label: value });
  if (variable.multi) {
    return (
      <MultiSelect
        {...named}
        label={label}
        size="xs"
        data={data}
        value={isAll ? [ALL] : [...chosen]}
        searchable
        error={error}
        maw={420}
        miw={150}
        onChange={(next) => {
          const added = next.find((value) => !chosen.includes(value));
          setVariable(
            variable.name,
            added === ALL || next.length === 0 ? [ALL] : next.filter((value) => value !== ALL),
          );
        }}
      />
    );
  }
  return (
    <Select
      {...named}
      label={label}
      size="xs"
      data={data}
      value={chosen[0] ?? null}
      searchable={data.length > 8}
      error={error}
      miw={120}
      allowDeselect={false}
      onChange={(value) => value !== null && setVariable(variable.name, [value])}
    />
  );
}

function TextBox({ label, name, value }: { label: string | undefined; name: string; value: string }) {
  const [draft, setDraft] = useState(value);
  useEffect(() => setDraft(value), [value]);
  return (
    <label style={{ fontSize: 12, fontWeight: 500 }}>
      {label}
      <br />
      <input
        className="field"
        style={{ height: 30 }}
        aria-label={label ?? name}
        value={draft}
        onChange={(e) => setDraft(e.currentTarget.value)}
        onBlur={() => draft !== value && setVariable(name, [draft])}
        onKeyDown={(e) => e.key === 'Enter' && setVariable(name, [draft])}
      />
    </label>
  );
}
