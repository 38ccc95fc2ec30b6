import { TallyrankError } from '../core/errors.ts';
import type { UseCaseSettings } from '../core/policy.ts';
import { isAutoName, PolicyBook } from '../core/policy.ts';
import type { PriceBook } from '../core/price-book.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { starterSnapshot } from '../core/starter-snapshot.ts';
import { shownTimeframe, type Timeframe } from '../core/timeframe.ts';
import type { Database } from '../store/database.ts';
import { readLoggedDecisions } from '../store/queries/logged-decisions.ts';
import { loadSnapshot, readPublishedSnapshot } from '../store/queries/snapshots.ts';
import { evaluateOffPolicy, type OffPolicyResult, rankedDirectModel } from './off-policy.ts';
import { routedTarget, singleTarget, targetModelId } from './off-policy-target.ts';

/** Which policy, on which decisions. */
export interface PolicyQuestion {
  /** auto, a preset of it, or a model. */
  readonly policy: string;
  /** Version of the rankings that the policy chooses by; left out: the one in use. */
  readonly rankingVersion?: string | undefined;
  /** In place of the configured `ranking.useCases`. */
  readonly useCases?: Readonly<Record<string, UseCaseSettings>> | undefined;
  readonly window: Timeframe;
  /** Decisions that are read at most; left out: as many as narrow an interval. */
  readonly decisionsMax?: number | undefined;
}

export interface PolicyEvaluation extends OffPolicyResult {
  /** As it is called here: a preset, or a model's canonical id. */
  readonly policy: string;
  readonly window: { readonly from: string; readonly to: string; readonly label: string };
  /** The discovery run whose use cases these are, and the rankings that the target chose by; null before any. */
  readonly runId: string;
  readonly rankingVersion: string | null;
  /** Decisions of `auto` in the window; {@link sampleCount} of them were read. */
  readonly decisionCount: number;
  /** Of those that were read: turns that stay with the model that their session began with. They are left out. */
  readonly followingCount: number;
  /** Decisions that `auto` had no part in: named models, rules, sessions. They stay as they are. */
  readonly otherCount: number;
  /** What a reader has to know of these figures. */
  readonly notes: readonly string[];
}

/** The parts of the program that an evaluation looks at. */
export interface EvaluationContext {
  readonly db: Database;
  readonly prices: Pick<PriceBook, 'typicalCostUsd'>;
  /** As configured. */
  readonly policies: PolicyBook;
  readonly defaultModel: string | null;
}

/**
 * What a policy would have come to on the decisions that `auto` took in a window. Reads `decisions`, their log rows and
 * ratings. Some ten microseconds of this thread per decision.
 *
 * @throws {TallyrankError} `bad_request`, `unknown_model`, `ambiguous_model`, `not_found` for a version
 */
export async function evaluatePolicy(
  { db, prices, policies, defaultModel }: EvaluationContext,
  { policy, useCases, rankingVersion, window, decisionsMax }: PolicyQuestion,
): Promise<PolicyEvaluation> {
  const snapshot = await snapshotOf(db, rankingVersion);
  const book = useCases === undefined ? policies : new PolicyBook(useCases);
  if (useCases !== undefined) assertCurves(useCases, book, policies);
  const { groups, autoCount, followingCount, otherCount, sliceCount } = await readLoggedDecisions(
    db,
    { runId: snapshot.runId, from: window.from, to: window.to },
    decisionsMax,
  );
  const known = [...groups.flatMap(({ ableIds }) => ableIds), ...rankedIds(snapshot)];
  // Without a decision and a ranking nobody can tell a wrong name, and the answer is that there is nothing to go by.
  const modelId = known.length === 0 && !isAutoName(policy) ? policy : targetModelId(policy, known);
  const target =
    modelId === null
      ? routedTarget({
          preset: policy,
          policies: book,
          snapshot,
          defaultModel,
          typicalCostUsd: (id) => prices.typicalCostUsd(id),
        })
      : singleTarget(modelId);
  return {
    policy: modelId ?? policy,
    window: shownTimeframe(window),
    runId: snapshot.runId,
    rankingVersion: snapshot.version,
    decisionCount: autoCount,
    followingCount,
    otherCount,
    ...evaluateOffPolicy(groups, target, rankedDirectModel(snapshot, policies)),
    notes: notesOf({
      isSingle: modelId !== null,
      isEarlier: Date.parse(snapshot.createdAt) <= window.from.getTime(),
      hasRankings: snapshot.version !== null,
      sliceCount,
    }),
  };
}

/** @throws {TallyrankError} `not_found` */
async function snapshotOf(db: Database, version: string | undefined): Promise<Snapshot> {
  if (version === undefined) return (await db.latestSnapshot()) ?? starterSnapshot();
  const published = await readPublishedSnapshot(db, version);
  if (published !== null) return await loadSnapshot(db, published);
  throw new TallyrankError(
    'not_found',
    `There is no version ${version.slice(0, 60)} of the rankings: tallyrank rankings versions lists them.`,
  );
}

/** @throws {TallyrankError} `bad_request`: what the curves make of latency and cost is part of the published rankings */
function assertCurves(
  useCases: Readonly<Record<string, UseCaseSettings>>,
  book: PolicyBook,
  configured: PolicyBook,
): void {
  for (const useCase of Object.keys(useCases)) {
    const [asked, known] = [book.curvesOf(useCase), configured.curvesOf(useCase)];
    if (asked.speedHalfMs === known.speedHalfMs && asked.costHalfUsd === known.costHalfUsd) continue;
    throw new TallyrankError(
      'bad_request',
      `"${useCase.slice(0, 60)}" has other curves (speedHalfMs, costHalfUsd) than the rankings were made with: these ` +
        'cannot be evaluated before the configuration has them.',
      { param: 'useCases' },
    );
  }
}

function rankedIds({ overall }: Snapshot): string[] {
  return overall.models.map(({ modelId }) => modelId);
}

function notesOf({
  isSingle,
  isEarlier,
  hasRankings,
  sliceCount,
}: {
  readonly isSingle: boolean;
  /** The rankings are older than every decision. */
  readonly isEarlier: boolean;
  readonly hasRankings: boolean;
  readonly sliceCount: number;
}): string[] {
  const notes: string[] = [];
  if (sliceCount > 1) {
    notes.push(
      `One of ${sliceCount} decisions was read, drawn by request id; tallyrank evaluate reads more than a gateway does.`,
    );
  }
  if (!isSingle && !hasRankings) {
    notes.push('There are no rankings yet: the policy chooses by the order of the priors.');
  }
  if (!isSingle && hasRankings && !isEarlier) {
    notes.push(
      'The policy chooses by rankings that have learnt from these decisions, so its estimates are somewhat too good: ' +
        'rankings published before the window (--ranking) have not. docs/off-policy.md says how much it was.',
    );
  }
  return notes;
}
