import { v7 as uuidv7 } from 'uuid';
import { TallyrankError } from '../../core/errors.ts';
import type { Progress } from '../../core/log.ts';
import { isSlug, OTHER_USE_CASE, STARTER_RUN_ID, toSlug, type UseCase } from '../../core/use-case.ts';
import type { UseCaseRule } from '../../core/use-case-rules.ts';
import type { Database } from '../../store/database.ts';
import { type DiscoveryRun, readActiveRun, readRuns } from '../../store/queries/discovery-runs.ts';
import { readUseCaseCounts } from '../../store/queries/drift.ts';
import { readRuleOfUseCase } from '../../store/queries/ruled-use-cases.ts';
import { readUseCasesOfRun } from '../../store/queries/snapshots.ts';
import { appendUseCaseEdit, readUseCaseEdits, type UseCaseEdit } from '../../store/queries/use-case-edits.ts';
import { readUseCaseEvents, type UseCaseEvent } from '../../store/queries/use-case-history.ts';
import { dropOldRuns } from '../../store/rollups.ts';
import { compilePattern, OperatorEdits, patternOfKeywords } from './operator-edits.ts';

export interface UseCaseDirectoryOptions {
  readonly db: Database;
  readonly clock: () => number;
  /** Hand-written use cases: their slugs are not the operator's edits to change. */
  readonly useCaseRules: readonly UseCaseRule[];
  /** Brings the current run up to date with the edits. */
  readonly applyEdits: (context: EditContext) => Promise<DiscoveryRun | null>;
}

export interface EditContext {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
}

/** What an operator wants done to a use case. */
export type UseCaseChange =
  | {
      readonly kind: 'rename';
      readonly slug: string;
      readonly name?: string | undefined;
      readonly toSlug?: string | undefined;
    }
  | { readonly kind: 'merge'; readonly slug: string; readonly into: string }
  | {
      readonly kind: 'split';
      readonly slug: string;
      readonly name: string;
      readonly toSlug?: string | undefined;
      /** Words or phrases, any of which sends a prompt to the new use case; or: */
      readonly keywords?: readonly string[] | undefined;
      /** a regular expression that does. */
      readonly pattern?: string | undefined;
    }
  | { readonly kind: 'pin' | 'unpin'; readonly slug: string }
  | { readonly kind: 'undo' };

export interface UseCaseDetail extends UseCase {
  readonly runId: string;
  /** The slug that was asked for, when it has become another one; null otherwise. */
  readonly redirectedFrom: string | null;
  /** Requests per day and their share of the day's, oldest first. */
  readonly trend: readonly { readonly at: string; readonly requestCount: number; readonly share: number }[];
  readonly events: readonly UseCaseEvent[];
  readonly edits: readonly UseCaseEdit[];
}

const DAY_MS = 86_400_000;
const TREND_DAYS = 30;
const EVENTS_PER_USE_CASE = 50;
const NAME_LENGTH_MAX = 80;
const KEYWORDS_MAX = 20;

/** The current use cases one by one, their history, and what an operator may do to them. */
export class UseCaseDirectory {
  readonly #options: UseCaseDirectoryOptions;

  constructor(options: UseCaseDirectoryOptions) {
    this.#options = options;
  }

  /**
   * One use case with its history. A slug that was renamed or merged away answers with what it has become.
   *
   * @throws {TallyrankError} `unknown_use_case`
   */
  async get(asked: string): Promise<UseCaseDetail> {
    const { db, clock } = this.#options;
    const { runId, useCases, edits, log } = await this.#current();
    const useCase = findUseCase(asked, useCases, edits);
    const { slug } = useCase;
    const to = new Date((Math.floor(clock() / DAY_MS) + 1) * DAY_MS);
    const from = new Date(to.getTime() - TREND_DAYS * DAY_MS);
    const [events, counts] = await Promise.all([
      readUseCaseEvents(db, { slug, limit: EVENTS_PER_USE_CASE }),
      readUseCaseCounts(db, { runId, from, to, bucketMs: DAY_MS }),
    ]);
    const totals = new Map<number, number>();
    for (const { bucketStartMs, requestCount } of counts) {
      totals.set(bucketStartMs, (totals.get(bucketStartMs) ?? 0) + requestCount);
    }
    const own = new Map(
      counts.flatMap((row) => (row.useCase === slug ? [[row.bucketStartMs, row.requestCount]] : [])),
    );
    return {
      ...useCase,
      runId,
      redirectedFrom: asked === slug ? null : asked,
      trend: [...totals].map(([atMs, total]) => ({
        at: new Date(atMs).toISOString(),
        requestCount: own.get(atMs) ?? 0,
        share: (own.get(atMs) ?? 0) / total,
      })),
      events,
      edits: log.filter((edit) => edit.slug === slug || edit.toSlug === slug),
    };
  }

  /** What a use case that was renamed or merged away is called now; null when there never was one. */
  async slugNow(asked: string): Promise<string | null> {
    const { useCases, edits } = await this.#current();
    return tryFindUseCase(asked, useCases, edits)?.slug ?? null;
  }

  /** What became of use cases between runs, newest first. */
  async events(limit: number): Promise<UseCaseEvent[]> {
    return await readUseCaseEvents(this.#options.db, { limit });
  }

  /** Runs of discovery and of edits, newest first. */
  async runs(limit: number): Promise<DiscoveryRun[]> {
    return await readRuns(this.#options.db, limit);
  }

  /** What the operator did, newest first, with what was undone. */
  async edits(): Promise<UseCaseEdit[]> {
    return (await readUseCaseEdits(this.#options.db)).reverse();
  }

  /**
   * Checks a change and says what it would write, without writing it.
   *
   * @throws {TallyrankError} `unknown_use_case`, `bad_request`, `conflict`
   */
  async plan(change: UseCaseChange, changedBy: string): Promise<UseCaseEdit> {
    const { runId, useCases, edits } = await this.#current();
    if (runId === STARTER_RUN_ID) {
      throw new TallyrankError(
        'conflict',
        'These are the starter use cases, which cannot be changed: run an analysis first.',
      );
    }
    const edit: UseCaseEdit = {
      editId: uuidv7({ msecs: this.#options.clock() }),
      atMs: this.#options.clock(),
      kind: change.kind,
      slug: '',
      toSlug: null,
      name: null,
      pattern: null,
      undoes: null,
      changedBy,
    };
    if (change.kind === 'undo') return { ...edit, undoes: lastEdit(edits).editId };
    if (change.slug === OTHER_USE_CASE) {
      throw new TallyrankError('bad_request', '"other" is what fits no use case; it cannot be changed.', {
        param: 'slug',
      });
    }
    const useCase = findUseCase(change.slug, useCases, edits);
    await this.#checkRules(change, useCase);
    return { ...edit, slug: useCase.slug, ...fieldsOf(change, useCase, useCases, edits) };
  }

  /**
   * Writes planned changes into the log of edits and brings the current run up to date with them. Once they are
   * written every later run honours them, even if this is interrupted.
   *
   * @returns the run that holds now; null when it had all of it already
   */
  async apply(edits: readonly UseCaseEdit[], context: EditContext = {}): Promise<DiscoveryRun | null> {
    const { db, applyEdits } = this.#options;
    let lastAtMs = (await readUseCaseEdits(db)).at(-1)?.atMs ?? 0;
    for (const edit of edits) {
      // The log is read in this order, and edits build on each other.
      lastAtMs = Math.max(edit.atMs, lastAtMs + 1);
      await appendUseCaseEdit(db, { ...edit, atMs: lastAtMs });
    }
    const before = await readActiveRun(db);
    const run = await applyEdits(context);
    // The run before stays: a gateway that lags behind still labels by it.
    if (run !== null && before !== null) await dropOldRuns(db, [run.runId, before.runId]);
    return run;
  }

  /**
   * A rule goes on giving its slug, and the rows that it labelled keep it: what the edit took away would be there
   * again at once. A name is only a name.
   */
  async #checkRules(change: UseCaseChange, { slug, isByRule = false }: UseCase): Promise<void> {
    const takesSlugAway =
      change.kind === 'merge' || (change.kind === 'rename' && change.toSlug !== undefined);
    if (!takesSlugAway && (!isByRule || change.kind === 'rename')) return;
    const { db, useCaseRules } = this.#options;
    const given = useCaseRules.find(({ useCase }) => useCase === slug)?.name;
    const ruleName = given ?? (await readRuleOfUseCase(db, slug));
    if (ruleName === null) return;
    throw new TallyrankError(
      'conflict',
      `"${slug}" is given by the hand-written rule "${ruleName}": change "useCaseRules" in the configuration. Only its name can be changed here.`,
      { param: 'slug' },
    );
  }

  async #current(): Promise<{
    runId: string;
    useCases: readonly UseCase[];
    edits: OperatorEdits;
    log: readonly UseCaseEdit[];
  }> {
    const { db } = this.#options;
    const runId = (await readActiveRun(db))?.runId ?? STARTER_RUN_ID;
    const log = await readUseCaseEdits(db);
    return { runId, useCases: await readUseCasesOfRun(db, runId), edits: new OperatorEdits(log), log };
  }
}

function findUseCase(asked: string, useCases: readonly UseCase[], edits: OperatorEdits): UseCase {
  const found = tryFindUseCase(asked, useCases, edits);
  if (found !== null) return found;
  const known = useCases.map(({ slug }) => slug).sort();
  throw new TallyrankError(
    'unknown_use_case',
    `There is no use case "${asked.slice(0, 80)}". There are: ${known.join(', ')}.`,
    { param: 'slug' },
  );
}

function tryFindUseCase(asked: string, useCases: readonly UseCase[], edits: OperatorEdits): UseCase | null {
  return (
    useCases.find(({ slug }) => slug === asked) ??
    useCases.find(({ slug }) => slug === edits.movedSlug(asked)) ??
    null
  );
}

type EditFields = Partial<Pick<UseCaseEdit, 'toSlug' | 'name' | 'pattern'>>;

function fieldsOf(
  change: Exclude<UseCaseChange, { kind: 'undo' }>,
  useCase: UseCase,
  useCases: readonly UseCase[],
  edits: OperatorEdits,
): EditFields {
  switch (change.kind) {
    case 'rename': {
      const { toSlug: wanted = useCase.slug } = change;
      const name = change.name === undefined ? null : checkName(change.name, useCase, useCases);
      if (name === null && wanted === useCase.slug) {
        throw new TallyrankError('bad_request', 'Give a new name, a new slug, or both.');
      }
      return { name, toSlug: wanted === useCase.slug ? null : checkSlug(wanted, useCases, edits) };
    }
    case 'merge': {
      const into = findUseCase(change.into, useCases, edits).slug;
      if (into === useCase.slug || into === OTHER_USE_CASE) {
        throw new TallyrankError('bad_request', `"${useCase.slug}" cannot be merged into "${into}".`, {
          param: 'into',
        });
      }
      return { toSlug: into };
    }
    case 'split': {
      const name = checkName(change.name, useCase, useCases);
      const taken = new Set([...useCases.map(({ slug }) => slug), ...edits.givenSlugs]);
      const toSlugText =
        change.toSlug === undefined ? toSlug(name, taken) : checkSlug(change.toSlug, useCases, edits);
      return { name, toSlug: toSlugText, pattern: patternOf(change) };
    }
    case 'pin':
    case 'unpin': {
      if (edits.pinned.has(useCase.slug) !== (change.kind === 'pin')) return {};
      throw new TallyrankError(
        'conflict',
        `"${useCase.slug}" is ${change.kind === 'pin' ? 'pinned already' : 'not pinned'}.`,
      );
    }
  }
}

function checkName(name: string, own: UseCase, useCases: readonly UseCase[]): string {
  const trimmed = name.trim();
  if (trimmed === '' || trimmed.length > NAME_LENGTH_MAX) {
    throw new TallyrankError('bad_request', `A name has 1 to ${NAME_LENGTH_MAX} characters.`, {
      param: 'name',
    });
  }
  const other = useCases.find(
    ({ slug, name: taken }) => slug !== own.slug && taken.toLowerCase() === trimmed.toLowerCase(),
  );
  if (other === undefined) return trimmed;
  throw new TallyrankError('conflict', `"${trimmed}" is the name of the use case "${other.slug}".`, {
    param: 'name',
  });
}

function checkSlug(slug: string, useCases: readonly UseCase[], edits: OperatorEdits): string {
  if (!isSlug(slug)) {
    throw new TallyrankError(
      'bad_request',
      `"${slug.slice(0, 80)}" cannot be a slug: use lower-case letters, digits and single underscores, at most 60, and no word of the API. "${toSlug(slug)}" would do.`,
      { param: 'slug' },
    );
  }
  const isTaken = useCases.some((useCase) => useCase.slug === slug) || edits.givenSlugs.has(slug);
  if (!isTaken && slug !== OTHER_USE_CASE) return slug;
  throw new TallyrankError('conflict', `The slug "${slug}" is taken, now or by an earlier edit.`, {
    param: 'slug',
  });
}

function patternOf(change: Extract<UseCaseChange, { kind: 'split' }>): string {
  const { keywords = [], pattern } = change;
  const words = keywords.map((word) => word.trim()).filter((word) => word !== '');
  if ((pattern === undefined) === (words.length === 0) || words.length > KEYWORDS_MAX) {
    throw new TallyrankError('bad_request', `Give either a pattern or 1 to ${KEYWORDS_MAX} keywords.`, {
      param: 'keywords',
    });
  }
  const written = pattern ?? patternOfKeywords(words);
  compilePattern(written);
  return written;
}

function lastEdit({ active }: OperatorEdits): UseCaseEdit {
  const last = active.at(-1);
  if (last) return last;
  throw new TallyrankError('conflict', 'There is no edit to undo.');
}
