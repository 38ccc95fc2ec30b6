import { TallyrankError } from '../../core/errors.ts';
import { compileSafePattern, patternTextMax } from '../../core/safe-pattern.ts';
import type { UseCaseEdit } from '../../store/queries/use-case-edits.ts';

/** A use case that the operator split off by a pattern. */
export interface SplitRule {
  readonly source: string;
  readonly slug: string;
  readonly name: string;
  readonly matches: (text: string) => boolean;
}

type Step =
  | { readonly kind: 'move'; readonly from: string; readonly to: string; readonly isMerge: boolean }
  | { readonly kind: 'split'; readonly rule: SplitRule };

/**
 * What all edits together make of found use cases: a pure function of the log. Edits apply in the order in which
 * they were made, each to the slug as it was then, so that a run years later comes to the same view.
 */
export class OperatorEdits {
  /** Names that the operator gave, by shown slug. */
  readonly names: ReadonlyMap<string, string>;
  /** Shown slugs that never die. */
  readonly pinned: ReadonlySet<string>;
  readonly splits: readonly SplitRule[];
  /** Edits that hold: neither undone nor an undo themselves. Oldest first. */
  readonly active: readonly UseCaseEdit[];
  /** The newest edit that was taken into account; null for none. */
  readonly lastEditId: string | null;
  readonly #steps: readonly Step[];

  constructor(edits: readonly UseCaseEdit[]) {
    const undone = new Set(edits.flatMap(({ undoes }) => undoes ?? []));
    this.active = edits.filter(({ kind, editId }) => kind !== 'undo' && !undone.has(editId));
    this.lastEditId = edits.at(-1)?.editId ?? null;
    const names = new Map<string, string>();
    const pinned = new Set<string>();
    const steps: Step[] = [];
    for (const edit of this.active) {
      const step = stepOf(edit);
      if (step !== null) steps.push(step);
      if (step?.kind === 'move') carryOver(step, names, pinned);
      if (edit.kind === 'pin') pinned.add(edit.slug);
      if (edit.kind === 'unpin') pinned.delete(edit.slug);
      if (edit.name !== null) names.set(edit.toSlug ?? edit.slug, edit.name);
    }
    this.#steps = steps;
    this.names = names;
    this.pinned = pinned;
    this.splits = steps.flatMap((step) => (step.kind === 'split' ? [step.rule] : []));
  }

  /** Slug that is shown for a prompt which was found to be `foundSlug`; `text` decides where it was split. */
  shownSlug(foundSlug: string, text: string): string {
    let slug = foundSlug;
    for (const step of this.#steps) {
      if (step.kind === 'move') {
        if (slug === step.from) slug = step.to;
      } else if (slug === step.rule.source && step.rule.matches(text)) slug = step.rule.slug;
    }
    return slug;
  }

  /** The same without a text: where a use case itself went by renames and merges. */
  movedSlug(slug: string): string {
    return this.#steps.reduce((at, step) => (step.kind === 'move' && step.from === at ? step.to : at), slug);
  }

  /** True when the texts of a found use case decide where they are shown. */
  isSplit(foundSlug: string): boolean {
    let slug = foundSlug;
    for (const step of this.#steps) {
      if (step.kind === 'move') {
        if (slug === step.from) slug = step.to;
      } else if (slug === step.rule.source) return true;
    }
    return false;
  }

  /** True when the use case lost its own name to another by a merge. */
  isMergedAway(foundSlug: string): boolean {
    let slug = foundSlug;
    for (const step of this.#steps) {
      if (step.kind !== 'move' || slug !== step.from) continue;
      if (step.isMerge) return true;
      slug = step.to;
    }
    return false;
  }

  /** Slugs that edits brought into the world: a new use case must not be given one of them by chance. */
  get givenSlugs(): ReadonlySet<string> {
    return new Set(this.active.flatMap(({ toSlug }) => toSlug ?? []));
  }
}

function stepOf(edit: UseCaseEdit): Step | null {
  const { kind, slug, toSlug, pattern, name } = edit;
  if (toSlug === null) return null;
  if (kind === 'rename' || kind === 'merge') {
    return { kind: 'move', from: slug, to: toSlug, isMerge: kind === 'merge' };
  }
  if (kind !== 'split' || pattern === null) return null;
  const expression = compilePattern(pattern);
  const textMax = patternTextMax(expression);
  const matches = (text: string): boolean => expression.test(text.slice(0, textMax));
  return { kind: 'split', rule: { source: slug, slug: toSlug, name: name ?? toSlug, matches } };
}

function carryOver(
  { from, to, isMerge }: Step & { kind: 'move' },
  names: Map<string, string>,
  pinned: Set<string>,
): void {
  const name = names.get(from);
  names.delete(from);
  if (name !== undefined && !isMerge) names.set(to, name);
  if (pinned.delete(from)) pinned.add(to);
}

/**
 * The pattern of a split, ready to be tested; case does not count.
 *
 * @throws {TallyrankError} `bad_request` when it is no safe regular expression, or matches every text
 */
export function compilePattern(pattern: string): RegExp {
  let expression: RegExp;
  try {
    expression = compileSafePattern(pattern);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'it cannot be read';
    throw new TallyrankError('bad_request', `The pattern is refused: ${why}.`, { param: 'pattern', cause });
  }
  if (expression.test('')) {
    throw new TallyrankError('bad_request', 'The pattern matches every prompt, so nothing would stay.', {
      param: 'pattern',
    });
  }
  return expression;
}

/** Any of the words or phrases, whole, as a pattern. */
export function patternOfKeywords(keywords: readonly string[]): string {
  const escaped = keywords.map((keyword) =>
    keyword
      .trim()
      .replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
      .replace(/\s+/g, '\\s'),
  );
  return `(?<![\\p{L}\\p{N}])(?:${escaped.join('|')})(?![\\p{L}\\p{N}])`;
}
