import type { PublishedSnapshot, RankedModel, UseCaseRanking } from '../core/snapshot.ts';

/** A published version by name. */
export interface VersionName {
  readonly version: string;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  readonly runId: string;
  /** The version whose content it is; null where the content was new. */
  readonly rolledBackTo: string | null;
}

/** How a model stood in one of the two versions. */
export interface Standing {
  /** 1 is first; models without a score come last. */
  readonly place: number;
  readonly score: number | null;
  readonly scoreInterval: readonly [number, number] | null;
  readonly isCandidate: boolean;
  readonly notCandidateReason: string | null;
  readonly totalRequests: number;
}

export interface ModelDifference {
  readonly modelId: string;
  /** null: the model was not ranked there. */
  readonly a: Standing | null;
  readonly b: Standing | null;
  readonly hasMoved: boolean;
  readonly isOtherCandidate: boolean;
  /** True when each score lies outside the other's 95 % interval: more than the noise of either. */
  readonly isScoreShifted: boolean;
}

export interface UseCaseDifference {
  readonly useCase: string;
  /** Best candidate of each; null: there was none. */
  readonly bestA: string | null;
  readonly bestB: string | null;
  /** The models that differ, in the order of b. */
  readonly models: readonly ModelDifference[];
}

export interface RankingsDiff {
  readonly a: VersionName;
  readonly b: VersionName;
  /** Use cases that b has and a has not, and the other way round. */
  readonly addedUseCases: readonly string[];
  readonly removedUseCases: readonly string[];
  readonly changedUseCases: readonly UseCaseDifference[];
  readonly unchangedCount: number;
  /** Said where a use case of the same name may not be the same; null otherwise. */
  readonly note: string | null;
}

/** What differs between two published rankings, use case by use case. */
export function diffRankings(a: PublishedSnapshot, b: PublishedSnapshot): RankingsDiff {
  const before = new Map(a.rankings.map((ranking) => [ranking.useCase, ranking]));
  const after = new Map(b.rankings.map((ranking) => [ranking.useCase, ranking]));
  const changedUseCases: UseCaseDifference[] = [];
  let unchangedCount = 0;
  for (const [useCase, ranking] of after) {
    const known = before.get(useCase);
    if (known === undefined) continue;
    const difference = diffUseCase(known, ranking);
    if (difference.models.length > 0) changedUseCases.push(difference);
    else unchangedCount++;
  }
  return {
    a: nameOf(a),
    b: nameOf(b),
    addedUseCases: [...after.keys()].filter((useCase) => !before.has(useCase)),
    removedUseCases: [...before.keys()].filter((useCase) => !after.has(useCase)),
    changedUseCases,
    unchangedCount,
    note:
      a.runId === b.runId
        ? null
        : 'The two versions come from different discovery runs: a use case keeps its slug while most of its prompts stay, but not all of them need to.',
  };
}

function nameOf({ version, createdAt, runId, rolledBackTo }: PublishedSnapshot): VersionName {
  return { version, createdAt, runId, rolledBackTo: rolledBackTo ?? null };
}

function diffUseCase(a: UseCaseRanking, b: UseCaseRanking): UseCaseDifference {
  const before = standingsOf(a.models);
  const after = standingsOf(b.models);
  const modelIds = [...after.keys(), ...[...before.keys()].filter((modelId) => !after.has(modelId))];
  const models = modelIds
    .map((modelId) => diffModel(modelId, before.get(modelId) ?? null, after.get(modelId) ?? null))
    .filter((model) => model.hasMoved || model.isOtherCandidate || model.isScoreShifted);
  return { useCase: b.useCase, bestA: bestOf(a.models), bestB: bestOf(b.models), models };
}

function diffModel(modelId: string, a: Standing | null, b: Standing | null): ModelDifference {
  return {
    modelId,
    a,
    b,
    hasMoved: a?.place !== b?.place,
    isOtherCandidate: (a?.isCandidate ?? false) !== (b?.isCandidate ?? false),
    isScoreShifted: isOutside(a?.score, b?.scoreInterval) && isOutside(b?.score, a?.scoreInterval),
  };
}

function isOutside(
  score: number | null | undefined,
  interval: Standing['scoreInterval'] | undefined,
): boolean {
  if (score === null || score === undefined || interval === null || interval === undefined) return false;
  return score < interval[0] || score > interval[1];
}

function standingsOf(models: readonly RankedModel[]): Map<string, Standing> {
  return new Map(
    models.map((model, at) => [
      model.modelId,
      {
        place: at + 1,
        score: rounded(model.score),
        scoreInterval:
          model.scoreLow === null || model.scoreHigh === null
            ? null
            : [rounded(model.scoreLow), rounded(model.scoreHigh)],
        isCandidate: model.isCandidate,
        notCandidateReason: model.notCandidateReason,
        totalRequests: model.requestCount,
      },
    ]),
  );
}

function bestOf(models: readonly RankedModel[]): string | null {
  return models.find((model) => model.isCandidate)?.modelId ?? null;
}

function rounded<Value extends number | null>(value: Value): Value {
  return (value === null ? null : Math.round(value * 10) / 10) as Value;
}
