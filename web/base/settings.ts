// What the user chose for this browser: language, time zone, and similar. Kept in local storage; a tiny store that
// React reads through useSyncExternalStore. Where storage is refused, choices last for the page.

import { useSyncExternalStore } from 'react';

export type Language = 'en' | 'zh';

export type Settings = {
  readonly language: Language;
  /** 'local', 'UTC' or an IANA zone. */
  readonly timeZone: string;
  readonly navigationFolded: boolean;
  readonly explainValues: boolean;
};

const KEY = 'pharos.settings';
const listeners = new Set<() => void>();

function browserLanguage(): Language {
  return navigator.languages?.some((l) => l.toLowerCase().startsWith('zh')) &&
    !navigator.languages[0]?.toLowerCase().startsWith('en')
    ? 'zh'
    : 'en';
}

function load(): Settings {
  const defaults: Settings = {
    language: browserLanguage(),
    timeZone: 'local',
    navigationFolded: false,
    explainValues: true,
  };
  try {
    return { ...defaults, ...(JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Settings>) };
  } catch {
    return defaults;
  }
}

let current = load();
document.documentElement.lang = current.language === 'zh' ? 'zh-CN' : 'en';

export function settings(): Settings {
  return current;
}

export function changeSettings(change: Partial<Settings>): void {
  current = { ...current, ...change };
  document.documentElement.lang = current.language === 'zh' ? 'zh-CN' : 'en';
  remember(KEY, current);
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useSettings(): Settings {
  return useSyncExternalStore(subscribe, settings);
}

/** Keeps a value over page loads, as far as the browser lets us. */
export function remember(key: string, value: unknown): void {
  try {
    localStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Private windows refuse storage; the value then lasts as long as the page.
  }
}

export function recall<T>(key: string, otherwise: T): T {
  try {
    const stored = localStorage.getItem(key);
    return stored === null ? otherwise : (JSON.parse(stored) as T);
  } catch {
    return otherwise;
  }
}
