import type { RankedModel, ScorePart } from '../../src/core/snapshot.ts';

/** A ranked model with good figures and no history of its own, for what a test does not care about. */
export function rankedModel(
  modelId: string,
  parts: Readonly<Record<'success' | 'speed' | 'cost' | 'quality', ScorePart>>,
  given: Partial<RankedModel> = {},
): RankedModel {
  return {
    modelId,
    ...parts,
    score: null,
    scoreLow: null,
    scoreHigh: null,
    scoreSequence: null,
    rankBest: null,
    rankWorst: null,
    probabilityBest: null,
    requestCount: 500,
    successRate: parts.success.value,
    latencyMeanMs: 2_000,
    latencyP95Ms: 4_000,
    timing: {
      firstTokenMeanMs: null,
      firstTokenCount: 0,
      tokensPerSecond: null,
      generationCount: 0,
      loadMeanMs: null,
      loadCount: 0,
      queueMeanMs: null,
      queueCount: 0,
    },
    costMeanUsd: 0,
    followUpRate: null,
    reAskRate: null,
    sessionCount: 0,
    ratingCount: 500,
    promptTokensMean: null,
    completionTokensMean: null,
    hasEnoughEvidence: false,
    isCandidate: false,
    notCandidateReason: null,
    warnings: [],
    ...given,
  };
}
