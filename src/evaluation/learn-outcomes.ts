import { TallyrankError } from '../core/errors.ts';
import { LinearClassifier } from '../core/linear-classifier.ts';
import type { Progress } from '../core/log.ts';
import type { PolicyBook } from '../core/policy.ts';
import { classifiedText, promptHash } from '../core/prompt-text.ts';
import type { Snapshot } from '../core/snapshot.ts';
import { starterSnapshot } from '../core/starter-snapshot.ts';
import type { UseCase } from '../core/use-case.ts';
import { type Asked, discover } from '../discovery/discover.ts';
import { SAMPLE_MAX } from '../discovery/discovery-run.ts';
import { OperatorEdits } from '../discovery/edits/operator-edits.ts';
import type { Embedder } from '../discovery/embedders/embedder.ts';
import { PromptVectors } from '../discovery/embedders/stored.ts';
import { DISTINCT_PROMPTS_MIN } from '../discovery/pipeline.ts';
import { buildRankings, themesOf } from '../ranking/build-rankings.ts';
import { addToBook, type EvidenceBook, type ModelEvidence, noEvidence } from '../ranking/evidence.ts';
import { latencyBin } from '../ranking/latency-bins.ts';
import type { Random } from '../stats/random.ts';
import type { Outcome, OutcomePrompt } from './outcome-file.ts';

/** A prompt with the outcomes that a learner may look at. */
export interface SeenPrompt {
  readonly prompt: OutcomePrompt;
  readonly seen: ReadonlyMap<string, Outcome>;
}

/** Use cases of the training prompts, as a run of discovery finds them in a log. */
export interface LearntUseCases {
  readonly useCases: readonly UseCase[];
  readonly classifier: Snapshot['classifier'];
  /** By prompt hash. */
  readonly labels: ReadonlyMap<string, string>;
}

export interface LearnOptions {
  readonly embedder: Embedder;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: Progress | undefined;
}

const RUN_ID = 'backtest';

/** Key under which equal prompts of a matrix meet. */
export function hashOf({ prompt }: Pick<OutcomePrompt, 'prompt'>): string {
  return promptHash({ prompt, context: '' });
}

/**
 * Runs discovery on prompts without a store: templates, clusters, names, the hot path's classifier. With fewer than
 * {@link DISTINCT_PROMPTS_MIN} distinct prompts the starter use cases stand in, as they do on day zero.
 *
 * @throws {TallyrankError} `cancelled`; what the embedder throws
 */
export async function learnUseCases(
  prompts: readonly OutcomePrompt[],
  options: LearnOptions,
): Promise<LearntUseCases> {
  const asked = askedOf(prompts);
  if (asked.prompts.length < DISTINCT_PROMPTS_MIN) {
    const { classifier, useCases } = starterSnapshot();
    return { classifier, useCases, labels: labelAll(prompts, classifier, new Map()) };
  }
  const sampled = { ...asked, prompts: asked.prompts.slice(0, SAMPLE_MAX) };
  const { embedder, seed, signal, onProgress } = options;
  const past = { active: null, previous: null, edits: new OperatorEdits([]) };
  const vectors = new PromptVectors({ embedder, db: null });
  const found = await discover(
    sampled,
    past,
    { vectors, embedderReason: '', seed, signal },
    (step, done = 0, total = null) => {
      if (signal?.aborted) throw new TallyrankError('cancelled', 'The backtest was cancelled.');
      onProgress?.(step, done, total);
    },
  );
  const classifier = LinearClassifier.decode(found.classifierBytes);
  const known = new Map(found.labelled.map(({ promptHash: hash, shownSlug }) => [hash, shownSlug]));
  return { classifier, useCases: found.shown, labels: labelAll(prompts, classifier, known) };
}

/**
 * What the rankings are made from: the outcomes of each model in each use case, as sums.
 *
 * @param unpriced  models without any cost: they stand here as free, so that quality alone can rank them. Who weighs
 *   costs has to keep them out
 */
export function evidenceOf(
  prompts: readonly SeenPrompt[],
  models: readonly string[],
  { labels }: Pick<LearntUseCases, 'labels'>,
  unpriced: ReadonlySet<string>,
): EvidenceBook {
  const cells = new Map<string, Map<string, Outcome[]>>();
  for (const { prompt, seen } of prompts) {
    const useCase = labels.get(hashOf(prompt)) ?? '';
    const cell = cells.get(useCase) ?? new Map<string, Outcome[]>();
    for (const [model, outcome] of seen) {
      const priced = unpriced.has(model) ? { ...outcome, costUsd: 0 } : outcome;
      const known = cell.get(model);
      if (known === undefined) cell.set(model, [priced]);
      else known.push(priced);
    }
    cells.set(useCase, cell);
  }
  let book: EvidenceBook = new Map();
  for (const [useCase, cell] of cells) {
    // A model that was not seen here is expected to do what it did elsewhere: the ranker says what that is.
    for (const model of models) book = addToBook(book, useCase, sumOf(model, cell.get(model) ?? []));
  }
  return book;
}

/** The snapshot that a gateway would route by. */
export function snapshotOf(
  { useCases, classifier }: LearntUseCases,
  book: EvidenceBook,
  policies: PolicyBook,
): Snapshot {
  const { rankings, overall } = buildRankings(book, policies, { themes: themesOf(useCases) });
  return {
    version: null,
    createdAt: new Date(0).toISOString(),
    runId: RUN_ID,
    useCases,
    rankings: new Map(rankings.map((ranking) => [ranking.useCase, ranking])),
    overall,
    classifier,
  };
}

function sumOf(model: string, outcomes: readonly Outcome[]): ModelEvidence {
  const none = noEvidence(model);
  const scores = outcomes.map(({ score }) => score);
  const costs = outcomes.flatMap(({ costUsd }) => costUsd ?? []);
  const latencies = outcomes.flatMap(({ latencyMs, isSuccess }) => (isSuccess ? (latencyMs ?? []) : []));
  const bins = new Map<number, number>();
  for (const latencyMs of latencies) {
    const bin = latencyBin(latencyMs);
    bins.set(bin, (bins.get(bin) ?? 0) + 1);
  }
  const successCount = outcomes.filter(({ isSuccess }) => isSuccess).length;
  return {
    ...none,
    requestCount: outcomes.length,
    successCount,
    failureCount: outcomes.length - successCount,
    latencyCount: latencies.length,
    latencySumMs: total(latencies),
    latencyBins: bins,
    waitBins: bins,
    pricedCount: costs.length,
    costSumUsd: total(costs),
    costSquareSum: total(costs.map((costUsd) => costUsd ** 2)),
    marks: {
      ...none.marks,
      unseen: {
        silentCount: 0,
        feedbackCount: scores.length,
        feedbackSum: total(scores),
        feedbackSquareSum: total(scores.map((score) => score ** 2)),
      },
    },
  };
}

/** Distinct prompts in the order of their hashes, so that a sample of them is even. */
function askedOf(prompts: readonly OutcomePrompt[]): Asked {
  const distinct = new Map<string, { prompt: string; requestCount: number }>();
  for (const one of prompts) {
    const hash = hashOf(one);
    const requestCount = (distinct.get(hash)?.requestCount ?? 0) + 1;
    distinct.set(hash, { prompt: one.prompt, requestCount });
  }
  return {
    prompts: [...distinct]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([hash, known]) => ({ promptHash: hash, ...known, context: '', userCount: 0 })),
    users: new Map(),
    isShared: false,
    scheduled: [],
  };
}

/** What no run saw gets its use case from the classifier, as the rest of a large log does. */
function labelAll(
  prompts: readonly OutcomePrompt[],
  classifier: Snapshot['classifier'],
  known: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const labels = new Map(known);
  for (const one of prompts) {
    const hash = hashOf(one);
    if (labels.has(hash)) continue;
    labels.set(hash, classifier.classify(classifiedText({ prompt: one.prompt, context: '' })).useCase);
  }
  return labels;
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/** What one model's outcome per prompt says: drawn uniformly, as an exploring gateway would have seen it. */
export function banditOutcomes(prompts: readonly OutcomePrompt[], random: Random): SeenPrompt[] {
  return prompts.map((prompt) => {
    const outcomes = [...prompt.outcomes];
    const drawn = outcomes[random.int(outcomes.length)];
    return { prompt, seen: new Map(drawn === undefined ? [] : [drawn]) };
  });
}
