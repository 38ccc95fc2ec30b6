import type { PromptClassifier } from './classifier.ts';
import type { UseCase } from './use-case.ts';

/** A part of a score with its 95 % interval, all 0..1. */
export interface ScorePart {
  /** Posterior mean. */
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** Observations behind it; 0 means that the prior speaks alone. */
  readonly sampleCount: number;
  /** True when the value rests on a prior or on other use cases and not on evidence from here. */
  readonly isAssumed: boolean;
}

/** Where the time of successful answers goes, each mean with the number of answers that it is of. */
export interface TimingFigures {
  /** Of streams: from the request to the first content, without loading and queueing. null without streams. */
  readonly firstTokenMeanMs: number | null;
  readonly firstTokenCount: number;
  /** Tokens over the time that they were written in; reasoning counts where the provider's own clock is used. */
  readonly tokensPerSecond: number | null;
  readonly generationCount: number;
  /** Loading the model, as the provider says; not part of speed. null: it never said. */
  readonly loadMeanMs: number | null;
  readonly loadCount: number;
  /** Waiting for its turn, likewise. */
  readonly queueMeanMs: number | null;
  readonly queueCount: number;
}

/** One model in one use case. */
export interface RankedModel {
  readonly modelId: string;
  /** 0..100, 40/30/20/10 of the parts; null for a model without a known price. */
  readonly score: number | null;
  readonly scoreLow: number | null;
  readonly scoreHigh: number | null;
  /**
   * What the score lies between by the evidence from here alone, 0..100, at all looks together with those of the other
   * models: where two do not touch, their order is established (and often before: see the ranks). null without a known
   * price. By `auto`, as the next three.
   */
  readonly scoreSequence: readonly [low: number, high: number] | null;
  /** Best and worst place that the established orders leave it, from 1; null without a score. */
  readonly rankBest: number | null;
  readonly rankWorst: number | null;
  /** Probability that no other model's score is greater; null without a score. */
  readonly probabilityBest: number | null;
  readonly success: ScorePart;
  readonly speed: ScorePart;
  /** null: no price is known. */
  readonly cost: ScorePart | null;
  readonly quality: ScorePart;
  readonly requestCount: number;
  /** Share of requests that succeeded, of those that count for or against the model; null without any. */
  readonly successRate: number | null;
  /** As people waited: loading and queueing are in it. */
  readonly latencyMeanMs: number | null;
  readonly latencyP95Ms: number | null;
  readonly timing: TimingFigures;
  readonly costMeanUsd: number | null;
  readonly followUpRate: number | null;
  readonly reAskRate: number | null;
  /** Requests in a session: where a re-ask can be seen. */
  readonly sessionCount: number;
  /** Requests that somebody rated. */
  readonly ratingCount: number;
  readonly promptTokensMean: number | null;
  readonly completionTokensMean: number | null;
  /** Enough evidence in this use case to be ranked and not only explored. */
  readonly hasEnoughEvidence: boolean;
  /** May be chosen by `auto`. */
  readonly isCandidate: boolean;
  /** Why it is not a candidate, in words; null when it is. */
  readonly notCandidateReason: string | null;
  /** Signs that its figures are not earned, worst first; see docs/ranking.md. */
  readonly warnings: readonly RankingWarning[];
}

/**
 * What a ranking can be won by without serving anybody, or what says that its ratings are not what they seem.
 * - `constant_answer`: one text for different prompts
 * - `empty_answer`: nothing at all
 * - `cut_answer`: different texts, all of one length
 * - `echo`: the prompt again
 * - `odd_length`: far longer or shorter than what the other models answer
 * - `one_rater`: its ratings come from one user
 * - `uniform_ratings`: all of its ratings are alike, where the same prompts got others
 * - `lenient_judge`: the judge likes it, and people do not
 */
export type WarningKind =
  | 'constant_answer'
  | 'empty_answer'
  | 'cut_answer'
  | 'echo'
  | 'odd_length'
  | 'one_rater'
  | 'uniform_ratings'
  | 'lenient_judge';

export interface RankingWarning {
  readonly kind: WarningKind;
  /** One sentence for people, with the figures. */
  readonly message: string;
  /** What the sign is judged by: a share 0..1, a ratio of lengths, a difference of means. */
  readonly value: number;
  /** 95 %. */
  readonly interval: readonly [low: number, high: number] | null;
  readonly sampleCount: number;
  /** Strong enough that `auto` does not choose the model. */
  readonly isWithholding: boolean;
}

export interface UseCaseRanking {
  readonly useCase: string;
  readonly requestCount: number;
  /** Highest score first; models without a score last. */
  readonly models: readonly RankedModel[];
}

/** All that the hot path knows of the past: immutable, versioned, replaced whole. */
export interface Snapshot {
  /** Sortable: a later snapshot has a greater version. null only for the built-in starter snapshot. */
  readonly version: string | null;
  readonly createdAt: string;
  /** The discovery run that the use cases and the classifier come from. */
  readonly runId: string;
  readonly useCases: readonly UseCase[];
  readonly rankings: ReadonlyMap<string, UseCaseRanking>;
  /** The same models over all use cases: what an unknown use case falls back on. */
  readonly overall: UseCaseRanking;
  readonly classifier: PromptClassifier;
}

/** A snapshot as it is published: everything but the classifier as JSON, the classifier as bytes. */
export interface PublishedSnapshot {
  readonly version: string;
  readonly createdAt: string;
  readonly runId: string;
  readonly windowFrom: string;
  readonly windowTo: string;
  /** The version whose content this is, published again; left out where the content was new. */
  readonly rolledBackTo?: string;
  readonly useCases: readonly UseCase[];
  readonly rankings: readonly UseCaseRanking[];
  readonly overall: UseCaseRanking;
}
