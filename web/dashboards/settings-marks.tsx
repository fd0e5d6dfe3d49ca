// The annotations and the links of a dashboard in its settings.

import { Button, Checkbox, Group, Select, TagsInput, TextInput } from '@mantine/core';
import type { Annotation, Link } from '../../src/view/model.ts';
import { localized, useText } from '../base/text.ts';
import { Section } from './settings-section.tsx';
import { SourceSelect } from './source-select.tsx';

const COLORS = ['red', 'orange', 'yellow', 'green', 'blue', 'purple'] as const;

type AnnotationsProps = {
  readonly annotations: readonly Annotation[];
  readonly onChange: (annotations: Annotation[]) => void;
};

export function AnnotationSettings({ annotations, onChange }: AnnotationsProps) {
  const t = useText();
  const add = (more: Partial<Annotation>) =>
    onChange([...annotations, { name: t('Annotation'), enabled: true, color: 'red', expr: '', ...more }]);
  return (
    <>
      {annotations.map((one, index) => (
        <Section key={index} title={one.name} list={annotations} index={index} onChange={(next) => onChange([...next])}>
          <AnnotationFields
            annotation={one}
            onChange={(next) => onChange(annotations.map((other, i) => (i === index ? next : other)))}
          />
        </Section>
      ))}
      <Group gap="xs">
        <Button variant="default" size="compact-sm" onClick={() => add({})}>
          {t('Add annotation of a query')}
        </Button>
        <Button variant="default" size="compact-sm" onClick={() => add({ color: 'blue', notes: { tags: [] } })}>
          {t('Add annotations with tags')}
        </Button>
      </Group>
    </>
  );
}

function AnnotationFields({
  annotation,
  onChange,
}: {
  annotation: Annotation;
  onChange: (annotation: Annotation) => void;
}) {
  const t = useText();
  const set = (change: Partial<Annotation>) => onChange({ ...annotation, ...change });
  const { notes } = annotation;
  return (
    <>
      <Group grow align="flex-end">
        <TextInput
          size="xs"
          label={t('Name')}
          value={annotation.name}
          onChange={(e) => set({ name: e.currentTarget.value })}
        />
        <Select
          size="xs"
          label={t('Color')}
          allowDeselect={false}
          data={[...new Set([...COLORS, annotation.color])]}
          value={annotation.color}
          onChange={(color) => color && set({ color })}
        />
      </Group>
      {notes ? (
        <TagsInput
          size="xs"
          mt={6}
          label={t('Tags that they have')}
          value={[...(notes.tags ?? [])]}
          onChange={(tags) => set({ notes: { ...notes, tags } })}
        />
      ) : (
        <>
          <TextInput
            size="xs"
            mt={6}
            label={t('Query: marked is where it is not zero')}
            placeholder="changes(process_start_time_seconds[1m]) > 0"
            value={annotation.expr}
            onChange={(e) => set({ expr: e.currentTarget.value })}
          />
          <Group grow mt={6} align="flex-end">
            <SourceSelect label={t('Data source')} value={annotation.source} onChange={(source) => set({ source })} />
            <TextInput
              size="xs"
              label={t('Text')}
              placeholder="{{instance}}"
              value={annotation.text ?? ''}
              onChange={(e) => set({ text: e.currentTarget.value })}
            />
          </Group>
        </>
      )}
      <Checkbox
        size="xs"
        mt={8}
        label={t('Shown')}
        checked={annotation.enabled}
        onChange={(e) => set({ enabled: e.currentTarget.checked })}
      />
    </>
  );
}

export function LinkSettings({ links, onChange }: { links: readonly Link[]; onChange: (links: Link[]) => void }) {
  const t = useText();
  return (
    <>
      {links.map((one, index) => (
        <Section
          key={index}
          title={localized(one.title) || (one.url ?? '')}
          list={links}
          index={index}
          onChange={(next) => onChange([...next])}
        >
          <LinkFields link={one} onChange={(next) => onChange(links.map((other, i) => (i === index ? next : other)))} />
        </Section>
      ))}
      <Group gap="xs">
        <Button
          variant="default"
          size="compact-sm"
          onClick={() => onChange([...links, { title: t('Link'), url: 'https://' }])}
        >
          {t('Add link')}
        </Button>
        <Button
          variant="default"
          size="compact-sm"
          onClick={() => onChange([...links, { title: t('Dashboards'), tags: [] }])}
        >
          {t('Add links to dashboards with tags')}
        </Button>
      </Group>
    </>
  );
}

function LinkFields({ link, onChange }: { link: Link; onChange: (link: Link) => void }) {
  const t = useText();
  const set = (change: Partial<Link>) => onChange({ ...link, ...change });
  return (
    <>
      {link.tags ? (
        <TagsInput
          size="xs"
          label={t('Tags that they have')}
          value={[...link.tags]}
          onChange={(tags) => set({ tags })}
        />
      ) : (
        <Group grow align="flex-end">
          <TextInput
            size="xs"
            label={t('Title')}
            value={localized(link.title)}
            onChange={(e) => set({ title: e.currentTarget.value })}
          />
          <TextInput
            size="xs"
            label={t('Address')}
            value={link.url ?? (link.dashboard ? `/d/${link.dashboard}` : '')}
            onChange={(e) => {
              const { dashboard: _, ...rest } = link;
              onChange({ ...rest, url: e.currentTarget.value });
            }}
          />
        </Group>
      )}
      <Group mt={8}>
        <Checkbox
          size="xs"
          label={t('In a new tab')}
          checked={link.newTab ?? false}
          onChange={(e) => set({ newTab: e.currentTarget.checked })}
        />
        <Checkbox
          size="xs"
          label={t('Takes the range along')}
          checked={link.keepTime ?? false}
          onChange={(e) => set({ keepTime: e.currentTarget.checked })}
        />
        <Checkbox
          size="xs"
          label={t('Takes the variables along')}
          checked={link.keepVariables ?? false}
          onChange={(e) => set({ keepVariables: e.currentTarget.checked })}
        />
      </Group>
    </>
  );
}
