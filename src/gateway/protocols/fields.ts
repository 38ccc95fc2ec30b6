/** A JSON object of which nothing is known yet. */
export type Fields = Readonly<Record<string, unknown>>;

const NO_FIELDS: Fields = {};

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object, or an empty one for anything else. */
export function toFields(value: unknown): Fields {
  return isFields(value) ? value : NO_FIELDS;
}

/** The objects of a list; anything else gives none. */
export function toFieldsList(value: unknown): readonly Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : [];
}

/** Makes objects to be spread: a field of `body`, under its own name or another; nothing where it is left out or null. */
export function givenIn(body: Fields): (field: string, name?: string) => Fields {
  return (field, name = field) =>
    body[field] === undefined || body[field] === null ? NO_FIELDS : { [name]: body[field] };
}

/** The text, or '' for anything else. */
export function toText(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The text, or null for anything else and for ''. */
export function toWord(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** A count >= 0, or null for anything else. */
export function toCount(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null;
}

/** The object that a JSON text holds, or null when it holds none. */
export function tryParseFields(text: string): Fields | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return isFields(parsed) ? parsed : null;
  } catch {
    return null;
  }
}

/** Sum of the counts that are known; null when none is. */
export function sumKnown(counts: readonly (number | null)[]): number | null {
  let sum: number | null = null;
  for (const count of counts) if (count !== null) sum = (sum ?? 0) + count;
  return sum;
}
