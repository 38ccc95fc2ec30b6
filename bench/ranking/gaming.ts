import { PolicyBook } from '../../src/core/policy.ts';
import { buildRankings } from '../../src/ranking/build-rankings.ts';
import { warningsOf } from '../../src/ranking/gaming.ts';
import { createRandom } from '../../src/stats/random.ts';
import type { Conduct } from '../../src/store/queries/gaming-evidence.ts';
import type { OutcomeSet } from './data.ts';
import { hasFile, readOutcomeSet, readRows } from './data.ts';
import type { Section } from './report.ts';
import { bookOf, Tally } from './world.ts';

/** Runs that win the judge without serving anybody. */
const GAMED = ['NullModel', 'gpt4_gamed'] as const;
const REQUESTS = 400;

/** Where models that game the judge rank by score alone, and what gives them away. */
export function measureGaming(dir: string, seed: number): Section[] {
  const names = ['alpaca_eval2', 'alpaca_eval1'].filter((name) => hasFile(dir, `routing_outcomes_${name}`));
  if (names.length === 0) return [];
  const warnings = hasFile(dir, 'responses_alpaca_eval') ? warningsOf(conductsOf(dir)) : null;
  const rows = names.flatMap((name) => {
    const set = readOutcomeSet(name, { dir, seed, modelCountMax: 0 }, 'all');
    const ranked = rankOf(set, seed);
    return GAMED.filter((model) => ranked.score.includes(`${name}:${model}`)).map((model) => {
      const found = warnings?.get(model);
      return [
        name,
        model,
        ranked.score.length,
        ranked.score.indexOf(`${name}:${model}`) + 1,
        ranked.quality.indexOf(`${name}:${model}`) + 1,
        warnings === null
          ? 'no answers to read'
          : (found
              ?.map(({ kind, isWithholding }) => `${kind}${isWithholding ? ' (withheld)' : ''}`)
              .join(', ') ?? 'nothing'),
      ];
    });
  });
  const honest =
    warnings === null ? null : [...warnings.keys()].filter((model) => !GAMED.some((name) => name === model));
  return [
    {
      id: 'gaming',
      title: 'Models that game the judge',
      how: `AlpacaEval's outcomes as success and ratings, ${REQUESTS} requests a model; signs by src/ranking/gaming.ts from the answers of 16 models (hash, length and emptiness; echo is not computed here). Honest models with a warning: ${honest === null ? 'unknown' : honest.length === 0 ? 'none' : honest.join(', ')}.`,
      seed,
      goal: 'neither leads unremarked',
      columns: ['data set', 'model', 'models', 'rank by score alone', 'rank by quality', 'caught by'],
      rows,
    },
  ];
}

function rankOf(set: OutcomeSet, seed: number): { score: readonly string[]; quality: readonly string[] } {
  const random = createRandom(seed);
  const cells = set.outcomes.map((models) =>
    models.map((outcomes) => {
      const tally = new Tally();
      for (let request = 0; request < REQUESTS; request++) tally.addRequest(outcomes, random);
      return [tally];
    }),
  );
  const models = buildRankings(bookOf(set, cells), new PolicyBook()).rankings[0]?.models ?? [];
  return {
    score: models.map(({ modelId }) => modelId),
    quality: [...models]
      .sort((one, other) => other.quality.value - one.quality.value)
      .map(({ modelId }) => modelId),
  };
}

/** What the store would say of these answers: equal texts, lengths, empty ones. Nobody rates here. */
function conductsOf(dir: string): ReadonlyMap<string, { readonly conduct: Conduct }> {
  const answers = new Map<string, string[]>();
  for (const { model, response } of readRows<{ model: string; response: string }>(
    dir,
    'responses_alpaca_eval',
  )) {
    const texts = answers.get(model) ?? [];
    texts.push(response);
    answers.set(model, texts);
  }
  return new Map(
    [...answers].map(([model, texts]) => {
      const logs = texts.filter((text) => text !== '').map((text) => Math.log(text.length));
      return [
        model,
        {
          conduct: {
            answerCount: texts.length,
            emptyCount: texts.filter((text) => text.trim() === '').length,
            promptCount: texts.length,
            constantPromptCount: most(texts),
            textCount: new Set(texts).size,
            echoKnownCount: 0,
            echoCount: 0,
            lengthCount: logs.length,
            logLengthSum: logs.reduce((sum, log) => sum + log, 0),
            logLengthSquareSum: logs.reduce((sum, log) => sum + log * log, 0),
            modalLengthCount: most(texts.map((text) => text.length)),
            userCount: 0,
            ratingCount: 0,
            ratingSum: 0,
            topRaterCount: 0,
            topRaterSum: 0,
            useCaseRaterCount: 0,
            ratingMin: 0,
            ratingMax: 0,
            otherRatingCount: 0,
            otherAlikeCount: 0,
            judgedCount: 0,
            judgeGapSum: 0,
            judgeGapSquareSum: 0,
          },
        },
      ];
    }),
  );
}

/** How often the most frequent value occurs. */
function most<Value>(values: readonly Value[]): number {
  const counts = new Map<Value, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}
