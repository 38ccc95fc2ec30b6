/** One thing that people ask for: discovered from prompts, or from the starter taxonomy on day zero. */
export interface UseCase {
  /** Stable name in URLs, rules and object names, e.g. "food_dining". */
  readonly slug: string;
  /** For people, e.g. "Food & Dining". */
  readonly name: string;
  readonly keywords: readonly string[];
  /** What is asked, in a sentence or two; left out where its words may not be shown. */
  readonly description?: string;
  readonly examplePrompts: readonly string[];
  /** Requests seen when it was discovered; 0 for a starter use case that nobody met yet. */
  readonly sampleCount: number;
  readonly distinctPromptCount: number;
  /** Mean prompt length in characters; null when nothing was seen. */
  readonly typicalLength: number | null;
  /** Name of the group of related use cases that it belongs to; left out where there are no groups. */
  readonly theme?: string;
  /** The operator wants it to live on whatever discovery finds. */
  readonly isPinned?: boolean;
  /** No run found it: it is there because rows carry it, by a hand-written rule. */
  readonly isByRule?: boolean;
}

/** Where a prompt goes that fits nothing: an honest answer, not a failure. */
export const OTHER_USE_CASE = 'other';

/** The discovery run of a row that was labelled by the starter taxonomy. */
export const STARTER_RUN_ID = 'starter';

/** Words of the API's own paths: a use case of that name could not be reached by URL. */
const RESERVED_SLUGS: ReadonlySet<string> = new Set([
  'history',
  'compare',
  'refresh',
  'diff',
  'rollback',
  'release',
  'versions',
  'trends',
  'trend',
  'show',
  'latest',
  'previous',
  'merge',
  'split',
  'all',
  'metadata',
  'events',
  'edits',
  'runs',
  'undo',
]);

const SLUG_LENGTH_MAX = 60;

/** True when `slug` is one that {@link toSlug} could have made. */
export function isSlug(slug: string): boolean {
  return (
    /^[\p{L}\p{N}]+(?:_[\p{L}\p{N}]+)*$/u.test(slug) &&
    slug === slug.toLowerCase() &&
    slug.length <= SLUG_LENGTH_MAX &&
    !RESERVED_SLUGS.has(slug)
  );
}

/**
 * "Food & Dining" -> "food_dining". Letters of any script stay; a word of the API's paths gets "_use_case";
 * `taken` names get a number. Never empty.
 */
export function toSlug(name: string, taken: ReadonlySet<string> = new Set()): string {
  const words =
    name
      .normalize('NFKC')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? [];
  const joined = words.join('_').slice(0, SLUG_LENGTH_MAX).replace(/_+$/, '') || 'use_case';
  const base = RESERVED_SLUGS.has(joined) ? `${joined}_use_case` : joined;
  let slug = base;
  for (let n = 2; taken.has(slug); n++) {
    const suffix = `_${n}`;
    slug = `${base.slice(0, SLUG_LENGTH_MAX - suffix.length).replace(/_+$/, '')}${suffix}`;
  }
  return slug;
}

/** A use case of day zero: recognised by keywords until discovery has data. */
export interface StarterUseCase {
  readonly slug: string;
  readonly name: string;
  readonly keywords: readonly string[];
}
