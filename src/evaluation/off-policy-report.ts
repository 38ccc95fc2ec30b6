import { TallyrankError } from '../core/errors.ts';
import type { PriceBook } from '../core/price-book.ts';
import type { UseCaseSettings } from '../core/policy.ts';
import { PolicyBook } from '../core/policy.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { starterSnapshot } from '../core/starter-snapshot.ts';
import { shownTimeframe, type Timeframe } from '../core/timeframe.ts';
import type { Database } from '../store/database.ts';
import { readLoggedDecisions } from '../store/queries/logged-decisions.ts';
import { evaluateOffPolicy, type OffPolicyResult, rankedDirectModel } from './off-policy.ts';
import { routedTarget, singleTarget, targetModelId } from './off-policy-target.ts';

/** Which policy, on which decisions. */
export interface PolicyQuestion {
  /** auto, a preset of it, or a model. */
  readonly policy: string;
  /** In place of the configured `ranking.useCases`. */
  readonly useCases?: Readonly<Record<string, UseCaseSettings>> | undefined;
  readonly window: Timeframe;
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
  /** Decisions that chance had no part in: named models, rules. They stay as they are. */
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
 * ratings; a hundred thousand decisions at most.
 *
 * @throws {TallyrankError} `bad_request`, `unknown_model`, `ambiguous_model`
 */
export async function evaluatePolicy(
  { db, prices, policies, defaultModel }: EvaluationContext,
  { policy, useCases, window }: PolicyQuestion,
): Promise<PolicyEvaluation> {
  const snapshot = (await db.latestSnapshot()) ?? starterSnapshot();
  const book = useCases === undefined ? policies : new PolicyBook(useCases);
  if (useCases !== undefined) assertCurves(useCases, book, policies);
  const { groups, autoCount, otherCount, sliceCount } = await readLoggedDecisions(db, {
    runId: snapshot.runId,
    from: window.from,
    to: window.to,
  });
  const known = [...groups.flatMap(({ ableIds }) => ableIds), ...rankedIds(snapshot)];
  const modelId = targetModelId(policy, known);
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
    otherCount,
    ...evaluateOffPolicy(groups, target, rankedDirectModel(snapshot, policies)),
    notes: notesOf({ isSingle: modelId !== null, hasRankings: snapshot.version !== null, sliceCount }),
  };
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
  hasRankings,
  sliceCount,
}: {
  readonly isSingle: boolean;
  readonly hasRankings: boolean;
  readonly sliceCount: number;
}): string[] {
  const notes: string[] = [];
  if (sliceCount > 1) notes.push(`One of ${sliceCount} decisions was read, drawn by request id.`);
  if (!isSingle && !hasRankings) {
    notes.push('There are no rankings yet: the policy chooses by the order of the priors.');
  }
  if (!isSingle && hasRankings) {
    notes.push(
      'The policy chooses by the rankings of now, which may have learnt from these very decisions: the estimates are ' +
        'then somewhat too good (docs/off-policy.md has how much).',
    );
  }
  return notes;
}
