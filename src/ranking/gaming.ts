import type { RankingWarning, UseCaseRanking } from '../core/snapshot.ts';
import { studentReach } from '../stats/student.ts';
import { wilsonInterval } from '../stats/wilson.ts';
import type { Conduct } from '../store/queries/gaming-evidence.ts';

/**
 * Fewer prompts, answers or ratings show no sign at all: a handful of equal answers is chance, and a model with so
 * few is no candidate anyway.
 */
const SHOWN_MIN = 20;
/** Ratings by one person are a sign from here on: they are all that is asked of anybody, so fewer must do. */
const RATINGS_MIN = 10;

/**
 * A share is a sign when the lower limit of its 95 % interval lies above `least` and by `more` above what is usual,
 * which is the median of the other models in the same use case: classifying answers one word, rewriting repeats its
 * prompt, and there all models do. Lower limits accuse honest models; higher ones let a half constant model pass. The
 * strong limits are for what no honest model does.
 */
const SHARE_RULES = {
  constant_answer: { weak: { least: 0.2, more: 0.2 }, strong: { least: 0.5, more: 0.4 } },
  empty_answer: { weak: { least: 0.1, more: 0.1 }, strong: { least: 0.5, more: 0.4 } },
  cut_answer: { weak: { least: 0.5, more: 0.4 }, strong: { least: 0.8, more: 0.6 } },
  echo: { weak: { least: 0.2, more: 0.2 }, strong: { least: 0.5, more: 0.4 } },
} as const;
type ShareKind = keyof typeof SHARE_RULES;

/** Answers of one length are cut off only when they differ: "yes" and "no!" are of one length as well. */
const CUT_TEXT_SHARE = 0.5;
/** Ratio of geometric mean lengths. Terse and wordy models differ by up to five: docs/ranking.md has the figures. */
const LENGTH_RATIO = 8;
/** Share of a model's ratings by one person from which they are "of one user". */
const ONE_RATER_SHARE = 0.9;
/** Raters in a use case from which one person's rating alone is not simply all there is. */
const OTHER_RATERS_MIN = 2;
/** One person's ratings lift a model when they lie this far above what other models get, as the quality margin. */
const LIFT = 0.05;
/** Probability below which ratings that are all alike are no chance. */
const ALIKE_CHANCE = 0.001;
/** The judge's score less people's, above that of the other models. */
const JUDGE_GAP = 0.1;

/**
 * Signs that models win without serving anybody, or by ratings that are not what they seem; strongest first.
 *
 * @param models  all of one use case
 * @returns the warnings of those that have any
 */
export function warningsOf(
  models: ReadonlyMap<string, { readonly conduct: Conduct | null }>,
): ReadonlyMap<string, readonly RankingWarning[]> {
  const known = [...models].flatMap(([modelId, { conduct }]) =>
    conduct === null ? [] : [{ modelId, conduct }],
  );
  const warnings = new Map<string, readonly RankingWarning[]>();
  for (const { modelId, conduct } of known) {
    const others = known.filter((other) => other.modelId !== modelId).map((other) => other.conduct);
    const found = [
      ...shareWarnings(conduct, others),
      oddLength(conduct, others),
      oneRater(conduct, others),
      uniformRatings(conduct),
      lenientJudge(conduct, others),
    ].filter((warning) => warning !== null);
    if (found.length === 0) continue;
    warnings.set(
      modelId,
      found.sort((one, other) => Number(other.isWithholding) - Number(one.isWithholding)),
    );
  }
  return warnings;
}

/**
 * Warnings over all use cases: those that a model has in use cases with at least half of its requests. Computed from
 * the use cases and not from sums, because what is usual differs between them.
 */
export function overallWarnings(rankings: readonly UseCaseRanking[], modelId: string): RankingWarning[] {
  const cells = rankings.flatMap(({ useCase, models }) =>
    models.filter((model) => model.modelId === modelId).map((model) => ({ useCase, model })),
  );
  const requestCount = cells.reduce((total, { model }) => total + model.requestCount, 0);
  const found = new Map<string, { warning: RankingWarning; useCase: string; requestCount: number }>();
  for (const { useCase, model } of cells) {
    for (const warning of model.warnings) {
      const key = `${warning.kind} ${warning.isWithholding}`;
      const same = found.get(key) ?? { warning, useCase, requestCount: 0 };
      found.set(key, { ...same, requestCount: same.requestCount + model.requestCount });
    }
  }
  return [...found.values()]
    .filter((one) => 2 * one.requestCount >= requestCount)
    .map(({ warning, useCase }) => ({ ...warning, message: `in ${useCase}: ${warning.message}` }));
}

/** Share of one sign in one model's conduct; null where too little is known. */
function shareOf(kind: ShareKind, conduct: Conduct): { count: number; total: number } | null {
  const { promptCount, constantPromptCount, answerCount, emptyCount } = conduct;
  const { lengthCount, modalLengthCount, echoKnownCount, echoCount } = conduct;
  const [count, total] = {
    constant_answer: [constantPromptCount, promptCount] as const,
    empty_answer: [emptyCount, answerCount] as const,
    cut_answer: [modalLengthCount, lengthCount] as const,
    echo: [echoCount, echoKnownCount] as const,
  }[kind];
  return total < SHOWN_MIN ? null : { count: Math.min(count, total), total };
}

function shareWarnings(conduct: Conduct, others: readonly Conduct[]): RankingWarning[] {
  return (Object.keys(SHARE_RULES) as ShareKind[]).flatMap((kind) => {
    const share = shareOf(kind, conduct);
    if (share === null) return [];
    if (kind === 'cut_answer' && conduct.textCount < CUT_TEXT_SHARE * conduct.promptCount) return [];
    const usual = medianOf(
      others.flatMap((other) => {
        const shareOfOther = shareOf(kind, other);
        return shareOfOther === null ? [] : [shareOfOther.count / shareOfOther.total];
      }),
    );
    // Alone, a model may be rewriting or filling in forms: only one text for everything and none at all speak for themselves.
    const isTelling = kind === 'constant_answer' || kind === 'empty_answer';
    if (usual === null && !isTelling) return [];
    const interval = wilsonInterval(share.count, share.total);
    const { weak, strong } = SHARE_RULES[kind];
    const passes = ({ least, more }: { least: number; more: number }): boolean =>
      interval[0] > Math.max(least, (usual ?? 0) + more);
    if (!passes(weak)) return [];
    return [
      {
        kind,
        message:
          `${SHARE_WORDS[kind](share.count, share.total)} (95 % interval ${inWords(interval)}; ` +
          `${usual === null ? 'no other model to compare with' : `${usual.toFixed(2)} is usual here`})`,
        value: share.count / share.total,
        interval,
        sampleCount: share.total,
        isWithholding: usual !== null && passes(strong),
      },
    ];
  });
}

const SHARE_WORDS: Readonly<Record<ShareKind, (count: number, total: number) => string>> = {
  constant_answer: (count, total) => `one and the same text answers ${count} of ${total} different prompts`,
  empty_answer: (count, total) => `${count} of ${total} answers are empty`,
  cut_answer: (count, total) => `${count} of ${total} different answers have one and the same length`,
  echo: (count, total) => `${count} of ${total} answers repeat their prompt by half or more`,
};

function oddLength(conduct: Conduct, others: readonly Conduct[]): RankingWarning | null {
  const { lengthCount, logLengthSum, logLengthSquareSum } = conduct;
  const means = others
    .filter((other) => other.lengthCount >= SHOWN_MIN)
    .map((other) => other.logLengthSum / other.lengthCount);
  const usual = medianOf(means);
  // Of two that differ nobody knows which one is odd.
  if (usual === null || means.length < 2 || lengthCount < SHOWN_MIN) return null;
  const [low, high] = meanInterval(lengthCount, logLengthSum, logLengthSquareSum);
  const limit = Math.log(LENGTH_RATIO);
  if (low - usual < limit && usual - high < limit) return null;
  const value = Math.exp(logLengthSum / lengthCount - usual);
  const interval = [Math.exp(low - usual), Math.exp(high - usual)] as const;
  const [longer, words] = value > 1 ? [value, 'longer'] : [1 / value, 'shorter'];
  return {
    kind: 'odd_length',
    message: `answers are ${longer.toFixed(0)} times ${words} than the other models' here (geometric means)`,
    value,
    interval,
    sampleCount: lengthCount,
    isWithholding: false,
  };
}

/** Strong when the other raters of the use case leave it unknown and the one lifts it above the other models. */
function oneRater(conduct: Conduct, others: readonly Conduct[]): RankingWarning | null {
  const { ratingCount, ratingSum, topRaterCount, topRaterSum, useCaseRaterCount, userCount } = conduct;
  const isAlone = userCount <= 1 && useCaseRaterCount <= 1;
  if (topRaterCount < RATINGS_MIN || isAlone) return null;
  const interval = wilsonInterval(topRaterCount, ratingCount);
  if (topRaterCount / ratingCount < ONE_RATER_SHARE) return null;
  const restCount = ratingCount - topRaterCount;
  const rest =
    restCount === 0
      ? 'nobody else rated it'
      : `without them ${((ratingSum - topRaterSum) / restCount).toFixed(2)} of ${restCount}`;
  const mean = topRaterSum / topRaterCount;
  const usual = medianOf(
    others
      .filter((other) => other.ratingCount >= RATINGS_MIN)
      .map((other) => other.ratingSum / other.ratingCount),
  );
  return {
    kind: 'one_rater',
    message: `${topRaterCount} of ${ratingCount} ratings are of one user (mean ${mean.toFixed(2)}; ${rest})`,
    value: topRaterCount / ratingCount,
    interval,
    sampleCount: ratingCount,
    isWithholding: useCaseRaterCount > OTHER_RATERS_MIN && usual !== null && mean > usual + LIFT,
  };
}

/** All alike, by more than chance where the other models' ratings for the same prompts are what is usual. */
function uniformRatings(conduct: Conduct): RankingWarning | null {
  const { ratingCount, ratingMin, ratingMax, otherRatingCount, otherAlikeCount } = conduct;
  if (ratingCount < RATINGS_MIN || otherRatingCount < RATINGS_MIN || ratingMin !== ratingMax) return null;
  const interval = wilsonInterval(Math.min(otherAlikeCount, otherRatingCount), otherRatingCount);
  const [, alikeShare] = interval;
  if (alikeShare ** ratingCount >= ALIKE_CHANCE) return null;
  const share = otherAlikeCount / otherRatingCount;
  return {
    kind: 'uniform_ratings',
    message:
      `all ${ratingCount} ratings are ${ratingMin.toFixed(2)}, which ${share.toFixed(2)} of ${otherRatingCount} ` +
      'ratings of other models for the same prompts are',
    value: share,
    interval,
    sampleCount: ratingCount,
    isWithholding: false,
  };
}

function lenientJudge(conduct: Conduct, others: readonly Conduct[]): RankingWarning | null {
  const { judgedCount, judgeGapSum, judgeGapSquareSum } = conduct;
  if (judgedCount < SHOWN_MIN) return null;
  const usual =
    medianOf(
      others
        .filter((other) => other.judgedCount >= SHOWN_MIN)
        .map((other) => other.judgeGapSum / other.judgedCount),
    ) ?? 0;
  const interval = meanInterval(judgedCount, judgeGapSum, judgeGapSquareSum);
  const value = judgeGapSum / judgedCount;
  if (interval[0] <= Math.max(0, usual) + JUDGE_GAP) return null;
  return {
    kind: 'lenient_judge',
    message:
      `the judge scores it ${value.toFixed(2)} above people's ratings of the same ${judgedCount} answers ` +
      `(${usual.toFixed(2)} is usual here)`,
    value,
    interval,
    sampleCount: judgedCount,
    isWithholding: false,
  };
}

/** 95 % interval of a mean from its sums (Student 1908). */
function meanInterval(count: number, sum: number, squareSum: number): readonly [number, number] {
  const mean = sum / count;
  const variance = Math.max(0, squareSum - count * mean * mean) / (count - 1);
  const reach = studentReach(0.95, count - 1) * Math.sqrt(variance / count);
  return [mean - reach, mean + reach];
}

function medianOf(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((one, other) => one - other);
  const half = (sorted.length - 1) / 2;
  const [below, above] = [sorted[Math.floor(half)] ?? 0, sorted[Math.ceil(half)] ?? 0];
  return (below + above) / 2;
}

function inWords([low, high]: readonly [number, number]): string {
  return `${low.toFixed(2)} to ${high.toFixed(2)}`;
}
