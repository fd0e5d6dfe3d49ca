// Leaving an annotation on a dashboard: what happened, when, and tags by which other dashboards find it.

import { Button, Group, Modal, Stack, TagsInput, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { plain } from '../base/api.ts';
import { useText } from '../base/text.ts';
import { parseLocalInput, toLocalInput } from '../base/time.ts';
import { Failure } from '../shell/parts.tsx';

export function NoteForm({ dashboard, onClose }: { dashboard: string; onClose: () => void }) {
  const t = useText();
  const client = useQueryClient();
  const [text, setText] = useState('');
  const [tags, setTags] = useState<string[]>([]);
  const [from, setFrom] = useState(() => toLocalInput(Date.now()));
  const [to, setTo] = useState('');
  const fromMs = parseLocalInput(from);
  const toMs = to === '' ? fromMs : parseLocalInput(to);
  const isBackwards = fromMs !== undefined && toMs !== undefined && toMs < fromMs;
  const keep = useMutation({
    mutationFn: () =>
      plain('/api/annotations', {
        method: 'POST',
        body: { dashboardUID: dashboard, text, tags, time: fromMs, timeEnd: toMs },
      }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['annotations'] });
      onClose();
    },
  });
  return (
    <Modal opened onClose={onClose} title={t('Leave an annotation')} closeButtonProps={{ 'aria-label': t('Close') }}>
      <Stack>
        <Textarea
          label={t('What happened')}
          autosize
          minRows={2}
          value={text}
          onChange={(e) => setText(e.currentTarget.value)}
          data-autofocus
        />
        <Group grow align="flex-start">
          <TextInput
            type="datetime-local"
            step={1}
            label={t('When it began')}
            value={from}
            onChange={(e) => setFrom(e.currentTarget.value)}
          />
          <TextInput
            type="datetime-local"
            step={1}
            label={t('When it ended (empty: a moment)')}
            value={to}
            error={isBackwards ? t('It ends before it begins') : undefined}
            onChange={(e) => setTo(e.currentTarget.value)}
          />
        </Group>
        <TagsInput
          label={t('Tags')}
          description={t('On other dashboards that ask for its tags as well')}
          value={tags}
          onChange={setTags}
        />
        {keep.error && <Failure error={keep.error} what={t('The annotation could not be kept')} />}
        <Button
          disabled={text.trim() === '' || fromMs === undefined || toMs === undefined || isBackwards}
          loading={keep.isPending}
          onClick={() => keep.mutate()}
        >
          {t('Save')}
        </Button>
      </Stack>
    </Modal>
  );
}
