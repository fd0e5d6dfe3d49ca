// Reading JSON of unknown shape: each look returns a value of the asked kind or nothing. And the notebook in which the
// importer writes down what it could not take over.

export type Json = Readonly<Record<string, unknown>>;

export const object = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const array = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
export const objects = (value: unknown): readonly Json[] => array(value).filter(isObject);
export const string = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
export const filled = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;
export const bool = (value: unknown): boolean | undefined => (typeof value === 'boolean' ? value : undefined);

/** A number, or a text that is one; null and '' are nothing. */
export function number(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'string' || value.trim() === '') return undefined;
  const parsed = Number(value);
  return Number.isFinite(parsed) ? parsed : undefined;
}

/** Leaves out what is undefined, so that results compare and print cleanly. */
export function compact<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;
}

export class Problems {
  readonly #found = new Map<string, number>();
  readonly #details = new Set<string>();

  add(where: string, what: string): void {
    const text = where === '' ? what : `${where}: ${what}`;
    this.#found.set(text, (this.#found.get(text) ?? 0) + 1);
  }

  /** How something looks that looks alike in all dashboards here. */
  detail(name: string): void {
    this.#details.add(name);
  }

  list(): string[] {
    const found = [...this.#found].map(([text, count]) => (count > 1 ? `${text} (${count} times)` : text));
    if (this.#details.size === 0) return found;
    return [...found, `details of drawing are as in all dashboards here: ${[...this.#details].sort().join(', ')}`];
  }
}
