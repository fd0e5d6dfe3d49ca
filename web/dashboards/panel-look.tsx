// How a panel looks: unit, range, style, legend, thresholds. What has no field here is in the panel's JSON.

import { ActionIcon, Button, Group, NumberInput, Select, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { CALCULATIONS } from '../../src/view/calculate.ts';
import type { FieldOptions, Panel, PanelOptions, ThresholdStep } from '../../src/view/model.ts';
import { UNIT_IDS } from '../../src/view/units.ts';
import { localized, useText } from '../base/text.ts';
import { Icon } from '../shell/icons.tsx';

export function Look({
  panel,
  onOptions,
  onField,
  onPanel,
}: {
  panel: Panel;
  onOptions: (change: Partial<PanelOptions>) => void;
  onField: (change: Partial<FieldOptions>) => void;
  onPanel: (panel: Panel) => void;
}) {
  const t = useText();
  const field = panel.field ?? {};
  const draw = field.draw ?? {};
  /** A number, or nothing when the field was emptied. */
  const setNumber = (name: 'decimals' | 'min' | 'max') => (value: string | number) => {
    const { [name]: _, ...rest } = field;
    onPanel({ ...panel, field: typeof value === 'number' ? { ...rest, [name]: value } : rest });
  };
  return (
    <Stack gap="sm">
      {panel.type === 'text' && (
        <Textarea
          label={t('Text (Markdown)')}
          autosize
          minRows={5}
          value={localized(panel.options?.content)}
          onChange={(e) => onOptions({ content: e.currentTarget.value })}
        />
      )}
      <TextInput
        label={t('Description')}
        value={localized(panel.description)}
        onChange={(e) => onPanel({ ...panel, description: e.currentTarget.value })}
      />
      <Group grow>
        <Select
          label={t('Unit')}
          searchable
          clearable
          data={[...UNIT_IDS]}
          value={field.unit ?? null}
          onChange={(unit) => onField(unit ? { unit } : { unit: '' })}
        />
        <NumberInput
          label={t('Decimals')}
          min={0}
          max={12}
          value={field.decimals ?? ''}
          onChange={setNumber('decimals')}
        />
        <NumberInput label={t('Min')} value={field.min ?? ''} onChange={setNumber('min')} />
        <NumberInput label={t('Max')} value={field.max ?? ''} onChange={setNumber('max')} />
      </Group>
      {panel.type === 'timeseries' && (
        <Group grow>
          <Select
            label={t('Style')}
            allowDeselect={false}
            data={[
              { value: 'line', label: t('Lines') },
              { value: 'bars', label: t('Bars') },
              { value: 'points', label: t('Points') },
            ]}
            value={draw.style ?? 'line'}
            onChange={(style) => onField({ draw: { ...draw, style: style as 'line' } })}
          />
          <Select
            label={t('Stacking')}
            allowDeselect={false}
            data={[
              { value: 'none', label: t('Off') },
              { value: 'normal', label: t('Stacked') },
              { value: 'percent', label: '100 %' },
            ]}
            value={draw.stack ?? 'none'}
            onChange={(stack) => onField({ draw: { ...draw, stack: stack as 'none' } })}
          />
          <NumberInput
            label={t('Fill')}
            min={0}
            max={1}
            step={0.1}
            decimalScale={2}
            value={draw.fill ?? 0}
            onChange={(fill) => onField({ draw: { ...draw, fill: Number(fill) } })}
          />
          <Select
            label={t('Thresholds')}
            allowDeselect={false}
            data={[
              { value: 'off', label: t('Off') },
              { value: 'line', label: t('Lines') },
              { value: 'area', label: t('Areas') },
            ]}
            value={draw.thresholds ?? 'off'}
            onChange={(thresholds) => onField({ draw: { ...draw, thresholds: thresholds as 'off' } })}
          />
        </Group>
      )}
      <Group grow>
        <Select
          label={t('Calculation')}
          searchable
          clearable
          data={Object.keys(CALCULATIONS)}
          value={panel.options?.calc ?? null}
          onChange={(calc) => onOptions(calc ? { calc } : {})}
        />
        <Select
          label={t('Legend')}
          allowDeselect={false}
          data={[
            { value: 'bottom', label: t('Below') },
            { value: 'right', label: t('Right') },
            { value: 'table', label: t('Table') },
            { value: 'none', label: t('Off') },
          ]}
          value={
            panel.options?.legend?.show === false
              ? 'none'
              : panel.options?.legend?.table
                ? 'table'
                : (panel.options?.legend?.placement ?? 'bottom')
          }
          onChange={(value) =>
            onOptions({
              legend: {
                show: value !== 'none',
                placement: value === 'right' ? 'right' : 'bottom',
                ...(value === 'table' ? { table: true, calcs: ['mean', 'max', 'lastNotNull'] } : {}),
              },
            })
          }
        />
        {panel.type === 'stat' && (
          <Select
            label={t('Colour')}
            allowDeselect={false}
            data={[
              { value: 'value', label: t('Value') },
              { value: 'ground', label: t('Background') },
              { value: 'none', label: t('Off') },
            ]}
            value={panel.options?.color ?? 'value'}
            onChange={(color) => onOptions({ color: color as 'value' })}
          />
        )}
      </Group>
      <Thresholds
        steps={field.thresholds?.steps ?? []}
        onChange={(steps) => onField({ thresholds: { mode: field.thresholds?.mode ?? 'absolute', steps } })}
      />
    </Stack>
  );
}

const COLORS = ['green', 'yellow', 'orange', 'red', 'blue', 'purple', 'transparent'];

function Thresholds({
  steps,
  onChange,
}: {
  steps: readonly ThresholdStep[];
  onChange: (steps: ThresholdStep[]) => void;
}) {
  const t = useText();
  const set = (index: number, change: Partial<ThresholdStep>) =>
    onChange(steps.map((one, i) => (i === index ? { ...one, ...change } : one)));
  return (
    <div>
      <Text size="sm" fw={500}>
        {t('Thresholds')}
      </Text>
      {steps.map((step, index) => (
        <Group key={index} gap={6} mt={4}>
          {step.value === null ? (
            <Text size="sm" w={120}>
              {t('Base')}
            </Text>
          ) : (
            <NumberInput
              aria-label={t('From this value')}
              w={120}
              value={step.value}
              onChange={(value) => set(index, { value: Number(value) })}
            />
          )}
          <Select
            aria-label={t('Colour')}
            w={140}
            allowDeselect={false}
            data={[...new Set([...COLORS, step.color])]}
            value={step.color}
            onChange={(color) => color && set(index, { color })}
          />
          <ActionIcon
            variant="subtle"
            color="gray"
            aria-label={t('Remove')}
            onClick={() => onChange(steps.filter((_, i) => i !== index))}
          >
            <Icon name="trash" size={16} />
          </ActionIcon>
        </Group>
      ))}
      <Button
        size="compact-sm"
        mt={6}
        variant="default"
        onClick={() =>
          onChange(
            steps.length === 0
              ? [
                  { value: null, color: 'green' },
                  { value: 80, color: 'red' },
                ]
              : [...steps, { value: (steps.at(-1)?.value ?? 0) + 10, color: 'red' }],
          )
        }
      >
        {t('Add threshold')}
      </Button>
    </div>
  );
}
