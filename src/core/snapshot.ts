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

/** One model in one use case. */
export interface RankedModel {
  readonly modelId: string;
  /** 0..100, 40/30/20/10 of the parts; null for a model without a known price. */
  readonly score: number | null;
  readonly scoreLow: number | null;
  readonly scoreHigh: number | null;
  /**
   * What the score lies between by the evidence from here alone, 0..100, at all looks together with those of the other
   * models: where two do not touch, their order is established. null without a known price. By `auto`, as the next
   * three.
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
  readonly latencyMeanMs: number | null;
  readonly latencyP95Ms: number | null;
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
