import { PolicyBook } from '../../src/core/policy.ts';
import { buildRankings } from '../../src/ranking/build-rankings.ts';
import { detectChangePoints } from '../../src/stats/change-points.ts';
import { createRandom, type Random } from '../../src/stats/random.ts';
import type { SeriesBucket } from '../../src/stats/series-sums.ts';
import type { Outcome, OutcomeSet } from './data.ts';
import { meanOf, quantileOf, round, type Section, Share } from './report.ts';
import { bookOf, kendallTau, Tally, trueScore, truthOf } from './world.ts';

const POLICIES = new PolicyBook();
const POLICY = POLICIES.policyOf('auto', null);
const HOUR_MS = 3_600_000;
const DAYS = 42;
const SWAP_DAY = 21;
const RATES = [2, 10] as const;
/** True shifts of success, or of the logarithm of latency, from. */
const SHIFTS = { success: [0.02, 0.05, 0.1, 0.2], latency: [0.1, 0.3, 0.6, 1] } as const;
type Kind = keyof typeof SHIFTS;

interface Options {
  readonly seriesCount: number;
  readonly pathCount: number;
  readonly seed: number;
}

export function measureDrift(sets: readonly OutcomeSet[], options: Options): Section[] {
  return [changePoints(sets, options), halfLives(sets, options)];
}

/** A model that becomes another one of its set at day 21, watched hour by hour; and one that stays. */
function changePoints(sets: readonly OutcomeSet[], { seriesCount, seed }: Options): Section {
  const rows = (['success', 'latency'] as const).flatMap((kind) =>
    RATES.map((perHour) => {
      const random = createRandom(seed);
      let falseAlarmCount = 0;
      let quietDays = 0;
      const found = SHIFTS[kind].map(() => ({ share: new Share(), delays: [] as number[] }));
      for (let at = 0; at < seriesCount; at++) {
        const set = sets[at % sets.length];
        if (set === undefined) break;
        const models = set.outcomes[random.int(set.useCases.length)] ?? [];
        const before = models[random.int(models.length)] ?? [];
        const after = models[random.int(models.length)] ?? [];
        const quiet = alarms(
          hours(() => before, { kind, perHour, random }),
          kind,
        );
        falseAlarmCount += quiet.length;
        quietDays += DAYS;
        const swapped = alarms(
          hours((day) => (day < SWAP_DAY ? before : after), { kind, perHour, random }),
          kind,
        );
        falseAlarmCount += swapped.filter(({ detectedAtMs }) => detectedAtMs <= swapMs).length;
        quietDays += SWAP_DAY;
        const shift = Math.abs(levelOf(before, kind) - levelOf(after, kind));
        const bin = found[SHIFTS[kind].findLastIndex((from) => shift >= from)];
        if (bin === undefined) continue;
        const first = swapped.find(({ detectedAtMs }) => detectedAtMs > swapMs);
        bin.share.add(first !== undefined);
        if (first !== undefined) bin.delays.push((first.detectedAtMs - swapMs) / HOUR_MS);
      }
      return [
        kind === 'success' ? 'success rate' : 'log latency',
        perHour,
        `${falseAlarmCount} in ${(quietDays / 365.25).toFixed(1)} years`,
        ...found.map(({ share, delays }) => `${share.text}; ${round(quantileOf(delays, 0.5), 0) ?? '–'} h`),
      ];
    }),
  );
  const bins = (kind: Kind): string => SHIFTS[kind].join(', ');
  return {
    id: 'change-points',
    title: 'A provider swaps the model behind a name: change points',
    how: `Hourly sums of ${DAYS} days, a model of ${sets.map(({ name }) => name).join(', ')} becomes another one of its use case on day ${SWAP_DAY}; share found within the 21 days left (of how many) and median delay, by true shift: from ${bins('success')} for success, from ${bins('latency')} for the logarithm of latency.`,
    seed,
    goal: 'stated 0.05 false alarms a year of a series',
    columns: ['series', 'requests an hour', 'false alarms', 'smallest shifts', 'small', 'middle', 'large'],
    rows,
  };
}

const swapMs = SWAP_DAY * 24 * HOUR_MS;

function alarms(buckets: readonly SeriesBucket[], kind: Kind): { readonly detectedAtMs: number }[] {
  return [...(detectChangePoints(buckets, { kind: kind === 'success' ? 'rate' : 'real' }) ?? [])];
}

function hours(
  outcomesOn: (day: number) => readonly Outcome[],
  { kind, perHour, random }: { readonly kind: Kind; readonly perHour: number; readonly random: Random },
): SeriesBucket[] {
  return Array.from({ length: 24 * DAYS }, (_, hour) => {
    const outcomes = outcomesOn(Math.floor(hour / 24));
    const bucket = { atMs: hour * HOUR_MS, count: 0, sum: 0, squareSum: 0 };
    // A Poisson number of requests, as gaps between them.
    const gap = (): number => -Math.log(1 - random.next());
    for (let at = gap(); at < perHour; at += gap()) {
      const outcome = outcomes[random.int(outcomes.length)];
      if (outcome === undefined) continue;
      const value =
        kind === 'success' ? (random.next() < outcome.score ? 1 : 0) : Math.log(outcome.latencyMs);
      bucket.count++;
      bucket.sum += value;
      bucket.squareSum += value * value;
    }
    return bucket;
  });
}

function levelOf(outcomes: readonly Outcome[], kind: Kind): number {
  return (
    meanOf(outcomes.map(({ score, latencyMs }) => (kind === 'success' ? score : Math.log(latencyMs)))) ?? 0
  );
}

const WEEKS_DAYS = 60;
const CHANGE_DAY = 30;
const PER_DAY = 6;
const HALF_LIVES = [null, 30, 14, 7] as const;
const AFTER_DAYS = [3, 7, 14, 30] as const;

/** Two models of every use case trade places on day 30: how soon rankings follow, by half-life; and what it costs without. */
function halfLives(sets: readonly OutcomeSet[], { pathCount, seed }: Options): Section {
  const rows = sets.flatMap((set) => {
    const found = HALF_LIVES.map(() => ({
      taus: AFTER_DAYS.map(() => [] as number[]),
      quiet: [] as number[],
      coverage: new Share(),
    }));
    const random = createRandom(seed);
    for (let path = 0; path < pathCount; path++) {
      for (const isSwapped of [true, false]) {
        const order = set.modelIds.map((_, at) => at);
        random.shuffle(order);
        const [one = 0, other = 1] = order;
        const behind = (model: number, day: number): number =>
          !isSwapped || day < CHANGE_DAY ? model : model === one ? other : model === other ? one : model;
        const cells = set.useCases.map(() => set.modelIds.map(() => [] as Tally[]));
        for (let day = 0; day < WEEKS_DAYS; day++) {
          cells.forEach((models, useCase) => {
            models.forEach((days, model) => {
              const tally = new Tally();
              const outcomes = set.outcomes[useCase]?.[behind(model, day)] ?? [];
              for (let request = 0; request < PER_DAY; request++) tally.addRequest(outcomes, random);
              days.push(tally);
            });
          });
          const after = AFTER_DAYS.findIndex((days) => days === day + 1 - CHANGE_DAY);
          if (after < 0) continue;
          const truths = set.useCases.map((_, useCase) =>
            set.modelIds.map((_, model) => truthOf(set.outcomes[useCase]?.[behind(model, day)] ?? [])),
          );
          HALF_LIVES.forEach((halfLifeDays, at) => {
            const bin = found[at];
            if (bin === undefined || (!isSwapped && day < WEEKS_DAYS - 1)) return;
            const { rankings } = buildRankings(bookOf(set, cells, halfLifeDays), POLICIES);
            for (const { useCase, models } of rankings) {
              const truth = truths[set.useCases.indexOf(useCase)] ?? [];
              const real = models.flatMap(({ modelId }) => truth[set.modelIds.indexOf(modelId)] ?? []);
              const scores = real.map((part) => trueScore(part, POLICY.weights));
              const tau = kendallTau(
                models.map(({ score }) => score ?? 0),
                scores,
              );
              if (tau !== null) (isSwapped ? bin.taus[after] : bin.quiet)?.push(tau);
              if (isSwapped) continue;
              models.forEach(({ scoreLow, scoreHigh }, of) => {
                const score = scores[of] ?? 0;
                bin.coverage.add(score >= (scoreLow ?? 0) && score <= (scoreHigh ?? 100));
              });
            }
          });
        }
      }
    }
    return HALF_LIVES.map((halfLifeDays, at) => [
      set.name,
      halfLifeDays === null ? 'none' : `${halfLifeDays} days`,
      ...(found[at]?.taus.map((values) => round(meanOf(values))) ?? []),
      round(meanOf(found[at]?.quiet ?? [])),
      found[at]?.coverage.text ?? null,
    ]);
  });
  return {
    id: 'half-life',
    title: 'Half-life of evidence: tau of scores after two models traded places, and without',
    how: `${PER_DAY} requests a day and cell, ${WEEKS_DAYS} days, the trade on day ${CHANGE_DAY}; ${pathCount} paths. Ages by day.`,
    seed,
    goal: 'coverage of scores without a change 0.93 to 0.97',
    columns: [
      'data set',
      'half-life',
      ...AFTER_DAYS.map((days) => `tau ${days} days after`),
      'tau without a change, day 60',
      'coverage of scores without',
    ],
    rows,
  };
}
