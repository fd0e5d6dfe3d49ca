// The lists that several parts of the dashboards ask for: which dashboards and which data sources there are.

import { useQuery } from '@tanstack/react-query';
import type { Dashboard, Text } from '../../src/view/model.ts';
import type { PublicSource } from '../../src/view/sources/source.ts';
import { get, VIEW } from '../base/api.ts';

export type Entry = {
  readonly uid: string;
  readonly title: Text;
  readonly tags: readonly string[];
  readonly version: number;
  readonly updatedAt: number;
  readonly origin: 'saved' | 'provisioned' | 'shipped';
  readonly folder?: string;
};
export type FolderEntry = {
  readonly uid: string;
  readonly title: string;
  readonly parent?: string;
  readonly readOnly?: boolean;
};
export type Loaded = {
  readonly dashboard: Dashboard;
  readonly meta: {
    readonly version: number;
    readonly updatedAt: number;
    readonly message: string;
    readonly origin: Entry['origin'];
    /** '' for none. */
    readonly folder: string;
  };
};

export const useEntries = () =>
  useQuery({
    queryKey: ['dashboards'],
    queryFn: ({ signal }) => get<readonly Entry[]>(`${VIEW}/dashboards`, undefined, signal),
  });
export const useFolders = () =>
  useQuery({
    queryKey: ['folders'],
    queryFn: ({ signal }) => get<readonly FolderEntry[]>(`${VIEW}/folders`, undefined, signal),
  });
export const useSources = () =>
  useQuery({
    queryKey: ['sources'],
    staleTime: 60_000,
    queryFn: ({ signal }) => get<readonly PublicSource[]>(`${VIEW}/sources`, undefined, signal),
  });
export const useStoredDashboard = (uid: string) =>
  useQuery({
    queryKey: ['dashboard', uid],
    staleTime: 60_000,
    queryFn: ({ signal }) => get<Loaded>(`${VIEW}/dashboards/${encodeURIComponent(uid)}`, undefined, signal),
  });
