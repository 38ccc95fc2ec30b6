import { meanOf, quantileOf, round, type Section } from '../ranking/report.ts';
import type { SavingsResult, SavingsRound } from './savings-measure.ts';

export function savingsSections(
  results: readonly SavingsResult[],
  seed: number,
  roundCount: number,
): Section[] {
  const drawn = `${roundCount} logs per row, each of four drawn models; one that is not the dearest is the best and has 20 % of the log (by length: 42 % of the shortest prompts down to 2 % of the longest), the dearest about 60 %. Truth: what the model did cost on these very prompts.`;
  return [
    {
      id: 'savings',
      title: 'Savings against the known truth',
      how: `${drawn} Error in % of the actual cost.`,
      seed,
      goal: 'below 5 % of the actual cost; intervals hold the truth in 95 %',
      columns: [
        'set',
        'log',
        'n',
        'requests of best per use case',
        'true savings',
        'mean error',
        'bias',
        '95th',
        'worst log',
        'logs below 5 %',
        'mean error by the mean',
        'interval held',
        'per use case held',
      ],
      rows: results.map(rowOf),
    },
    {
      id: 'savings-against',
      title: 'What the flagship alone and the mix before would have cost',
      how: `${drawn} The mix: one half of the log is from before, the other is sent to the best model but for 10 %; truth is another draw of the mix on the same prompts. Error in % of the actual cost, and of the mix's.`,
      seed,
      goal: null,
      columns: ['set', 'log', 'flagship: mean error', 'held', 'mix: n', 'mean error', 'bias', 'held'],
      rows: results.map(({ set, scenario, rounds }) => {
        const flagship = rounds.filter((one) => one.flagshipError !== null);
        const mix = rounds.filter((one) => one.mixError !== null);
        return [
          set.name,
          scenario,
          percent(meanOf(flagship.map((one) => Math.abs(one.flagshipError ?? 0)))),
          share(flagship, (one) => one.isFlagshipHeld),
          mix.length,
          percent(meanOf(mix.map((one) => Math.abs(one.mixError ?? 0)))),
          percent(meanOf(mix.map((one) => one.mixError ?? 0))),
          share(mix, (one) => one.isMixHeld),
        ];
      }),
    },
  ];
}

function rowOf({ set, scenario, rounds }: SavingsResult): Section['rows'][number] {
  const errors = rounds.map(({ error }) => Math.abs(error));
  const useCaseCount = rounds.reduce((sum, one) => sum + one.useCaseCount, 0);
  const heldCount = rounds.reduce((sum, one) => sum + one.heldCount, 0);
  return [
    set.name,
    scenario,
    rounds.length,
    round(meanOf(rounds.map(({ evidenceMean }) => evidenceMean)), 0),
    percent(meanOf(rounds.map(({ trueSavings }) => trueSavings))),
    percent(meanOf(errors)),
    percent(meanOf(rounds.map(({ error }) => error))),
    percent(quantileOf(errors, 0.95)),
    percent(Math.max(...errors)),
    share(rounds, ({ error }) => Math.abs(error) < 0.05),
    percent(meanOf(rounds.map(({ errorOfMean }) => Math.abs(errorOfMean)))),
    share(rounds, ({ isHeld }) => isHeld),
    round(useCaseCount === 0 ? null : heldCount / useCaseCount),
  ];
}

function percent(value: number | null): number | null {
  return value === null ? null : round(100 * value, 2);
}

function share(rounds: readonly SavingsRound[], holds: (one: SavingsRound) => boolean): number | null {
  return rounds.length === 0 ? null : round(rounds.filter(holds).length / rounds.length);
}
