// Folders of dashboards in the pages: making and removing one, choosing one, moving a dashboard into one.

import { ActionIcon, Button, Group, Modal, Select, Stack, TextInput } from '@mantine/core';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { plain, VIEW } from '../base/api.ts';
import { localized, useText } from '../base/text.ts';
import { Icon } from '../shell/icons.tsx';
import { Failure } from '../shell/parts.tsx';
import { type Entry, type FolderEntry, useFolders } from './entries.ts';

/** A folder with those around it: "Operations / Databases". */
export function folderPath(folder: FolderEntry, all: readonly FolderEntry[]): string {
  const titles: string[] = [];
  for (let at: FolderEntry | undefined = folder; at && titles.length < 8; ) {
    titles.unshift(at.title);
    const parent: string | undefined = at.parent;
    at = all.find((one) => one.uid === parent);
  }
  return titles.join(' / ');
}

/** The folders that dashboards can be put into; '' is none. */
export function FolderSelect({ value, onChange }: { value: string; onChange: (folder: string) => void }) {
  const t = useText();
  const all = useFolders().data ?? [];
  const choices = all.filter((one) => !one.readOnly || one.uid === value);
  return (
    <Select
      label={t('Folder')}
      allowDeselect={false}
      data={[
        { value: '', label: t('In no folder') },
        ...choices.map((one) => ({ value: one.uid, label: folderPath(one, all) })),
      ]}
      value={value}
      onChange={(folder) => onChange(folder ?? '')}
    />
  );
}

export function NewFolder({ onClose }: { onClose: () => void }) {
  const t = useText();
  const client = useQueryClient();
  const [title, setTitle] = useState('');
  const [parent, setParent] = useState('');
  const make = useMutation({
    mutationFn: () =>
      plain('/api/folders', { method: 'POST', body: { title, ...(parent ? { parentUid: parent } : {}) } }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['folders'] });
      onClose();
    },
  });
  return (
    <Dialog title={t('New folder')} onClose={onClose}>
      <TextInput label={t('Name')} value={title} onChange={(e) => setTitle(e.currentTarget.value)} data-autofocus />
      <FolderSelect value={parent} onChange={setParent} />
      {make.error && <Failure error={make.error} what={t('The folder could not be made')} />}
      <Button disabled={title.trim() === ''} loading={make.isPending} onClick={() => make.mutate()}>
        {t('Save')}
      </Button>
    </Dialog>
  );
}

export function MoveDialog({ entry, onClose }: { entry: Entry; onClose: () => void }) {
  const t = useText();
  const client = useQueryClient();
  const [folder, setFolder] = useState(entry.folder ?? '');
  const move = useMutation({
    mutationFn: () =>
      plain(`${VIEW}/dashboards/${encodeURIComponent(entry.uid)}/folder`, { method: 'PUT', body: { folder } }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['dashboards'] });
      await client.invalidateQueries({ queryKey: ['dashboard', entry.uid] });
      onClose();
    },
  });
  return (
    <Dialog title={t('Move {title}', { title: localized(entry.title) })} onClose={onClose}>
      <FolderSelect value={folder} onChange={setFolder} />
      {move.error && <Failure error={move.error} what={t('The dashboard could not be moved')} />}
      <Button loading={move.isPending} onClick={() => move.mutate()}>
        {t('Move')}
      </Button>
    </Dialog>
  );
}

export function RemoveFolder({ folder, count }: { folder: FolderEntry; count: number }) {
  const t = useText();
  const client = useQueryClient();
  const remove = useMutation({
    mutationFn: () => plain(`/api/folders/${encodeURIComponent(folder.uid)}`, { method: 'DELETE' }),
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['folders'] });
      await client.invalidateQueries({ queryKey: ['dashboards'] });
    },
  });
  const question =
    count === 0
      ? t('Delete {title}', { title: folder.title })
      : t('Delete {title} with all that is in it, {n} dashboards?', { title: folder.title, n: count });
  return (
    <Group gap={6}>
      <ActionIcon
        variant="subtle"
        color="gray"
        aria-label={t('Delete {title}', { title: folder.title })}
        onClick={() => window.confirm(question) && remove.mutate()}
      >
        <Icon name="trash" size={16} />
      </ActionIcon>
      {remove.error && <Failure error={remove.error} what={t('The folder could not be deleted')} />}
    </Group>
  );
}

function Dialog({ title, onClose, children }: { title: string; onClose: () => void; children: React.ReactNode }) {
  const t = useText();
  return (
    <Modal opened onClose={onClose} title={title} closeButtonProps={{ 'aria-label': t('Close') }}>
      <Stack>{children}</Stack>
    </Modal>
  );
}
