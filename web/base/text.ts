// Looking up texts in the user's language. `t` for code outside components, `useText` inside them, so that switching
// the language redraws.

import { SINGULARS, TEXTS } from '../texts.ts';
import { type Language, settings, useSettings } from './settings.ts';

export type TextKey = keyof typeof TEXTS;
export type TextValues = Readonly<Record<string, string | number>>;

/** A text that comes with data (a dashboard's title): plain, or by language. */
export type Localized = string | { readonly en: string; readonly zh?: string };

export function translate(language: Language, key: TextKey, values?: TextValues): string {
  const text = language === 'zh' ? TEXTS[key] : String(values?.n) === '1' ? (SINGULARS[key] ?? key) : key;
  return values ? text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole)) : text;
}

export const t = (key: TextKey, values?: TextValues): string => translate(settings().language, key, values);

export function useText(): (key: TextKey, values?: TextValues) => string {
  const { language } = useSettings();
  return (key, values) => translate(language, key, values);
}

export function localized(text: Localized | undefined, language: Language = settings().language): string {
  if (text === undefined) return '';
  return typeof text === 'string' ? text : ((language === 'zh' ? text.zh : undefined) ?? text.en);
}
