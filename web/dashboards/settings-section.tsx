// One thing of a list in the settings of a dashboard (a variable, an annotation, a link): moved up and down, or removed.

import { ActionIcon, Group, Text } from '@mantine/core';
import type { ReactNode } from 'react';
import { useText } from '../base/text.ts';
import { Icon } from '../shell/icons.tsx';

export type SectionProps<T> = {
  readonly title: string;
  readonly list: readonly T[];
  readonly index: number;
  readonly onChange: (list: readonly T[]) => void;
  readonly children: ReactNode;
};

export function Section<T>({ title, list, index, onChange, children }: SectionProps<T>) {
  const t = useText();
  const moved = (by: number) => {
    const next = [...list];
    const [one] = next.splice(index, 1);
    next.splice(index + by, 0, one!);
    onChange(next);
  };
  return (
    <section className="surface" aria-label={title} style={{ padding: 10 }}>
      <Group gap={4} mb={4}>
        <Text size="sm" fw={600} style={{ flex: 1 }}>
          {title}
        </Text>
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={t('Move up')}
          disabled={index === 0}
          onClick={() => moved(-1)}
        >
          <Icon name="up" size={15} />
        </ActionIcon>
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={t('Move down')}
          disabled={index === list.length - 1}
          onClick={() => moved(1)}
        >
          <Icon name="down" size={15} />
        </ActionIcon>
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label={t('Remove')}
          onClick={() => onChange(list.filter((_, i) => i !== index))}
        >
          <Icon name="trash" size={15} />
        </ActionIcon>
      </Group>
      {children}
    </section>
  );
}
