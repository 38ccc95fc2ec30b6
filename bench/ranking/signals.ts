import { PolicyBook } from '../../src/core/policy.ts';
import type { SignalKind } from '../../src/core/signal.ts';
import { buildRankings } from '../../src/ranking/build-rankings.ts';
import { type MarkEvidence, type ModelEvidence, noEvidence } from '../../src/ranking/evidence.ts';
import { calibrateMarks } from '../../src/ranking/quality-evidence.ts';
import { createRandom, type Random } from '../../src/stats/random.ts';
import { SessionMemory } from '../../src/tracker/sessions.ts';
import { hasFile, readRows } from './data.ts';
import { meanOf, round, type Section } from './report.ts';
import { kendallTau } from './world.ts';

interface Dialogue {
  readonly id: string;
  readonly set: string;
  readonly turns: readonly {
    readonly role: string;
    readonly text: string;
    readonly sat?: readonly number[];
  }[];
}

/** An answer that the user's next turn says something of. */
interface Judged {
  readonly set: string;
  readonly dialogue: number;
  readonly kind: SignalKind;
  /** Satisfaction 0..1 as annotators read it off the turn that shows the sign. */
  readonly satisfaction: number;
  /** The same of the user's turn before the answer. */
  readonly before: number | null;
}

const TURN_MS = 30_000;
const SYNTHETIC = { modelCount: 12, answerCount: 400, rounds: 20 } as const;
const NO_MARK: MarkEvidence = { silentCount: 0, feedbackCount: 0, feedbackSum: 0, feedbackSquareSum: 0 };

/** What re-asks, corrections and silence are worth, where somebody noted how satisfied people were. */
export function measureSignals(dir: string, seed: number): Section[] {
  if (!hasFile(dir, 'conv_uss_satisfaction')) return [];
  const judged = judgedAnswers(readRows<Dialogue>(dir, 'conv_uss_satisfaction'));
  return [
    meaningSection(judged, seed),
    agreementSection(judged, seed),
    syntheticSection(judged, seed),
    ...(hasFile(dir, 'arena_votes_1k') ? [arenaSection(dir, seed)] : []),
  ];
}

/** The product's own detector on the users' turns; half a minute between them. */
function judgedAnswers(dialogues: readonly Dialogue[]): Judged[] {
  const memory = new SessionMemory();
  return dialogues.flatMap(({ id, set, turns }, dialogue) => {
    const found: Judged[] = [];
    let before: number | null = null;
    turns.forEach(({ role, text, sat }, at) => {
      if (role !== 'user') return;
      const stars = sat === undefined ? null : meanOf(sat);
      const satisfaction = stars === null ? null : (stars - 1) / 4;
      const signal = memory.observe({
        requestId: `${id}/${at}`,
        sessionId: id,
        prompt: text,
        promptHash: text,
        atMs: at * TURN_MS,
      });
      if (signal !== null && satisfaction !== null)
        found.push({ set, dialogue, kind: signal.kind, satisfaction, before });
      before = satisfaction;
    });
    return found;
  });
}

function meaningSection(judged: readonly Judged[], seed: number): Section {
  const kinds: readonly SignalKind[] = ['re_ask', 'correction', 'follow_up', 'thanks'];
  const sets = [...new Set(judged.map(({ set }) => set))];
  return {
    id: 'signal-meaning',
    title: 'What a sign means: satisfaction 0..1 that annotators noted',
    how: "USS (templates and people, not models); the detector is src/tracker/sessions.ts on the user's turns. Unhappy: two stars or fewer on average.",
    seed,
    goal: null,
    columns: ['data set', 'sign', 'answers', 'mean satisfaction', 'unhappy', 'of the turn before the answer'],
    rows: sets.flatMap((set) =>
      kinds.map((kind) => {
        const of = judged.filter((one) => one.set === set && one.kind === kind);
        return [
          set,
          kind,
          of.length,
          round(meanOf(of.map(({ satisfaction }) => satisfaction))),
          round(meanOf(of.map(({ satisfaction }) => (satisfaction <= 0.25 ? 1 : 0)))),
          round(meanOf(of.flatMap(({ before }) => before ?? []))),
        ];
      }),
    ),
  };
}

/** Learnt from one half of the dialogues, held against the other. */
function agreementSection(judged: readonly Judged[], seed: number): Section {
  const sets = ['all', ...new Set(judged.map(({ set }) => set))];
  return {
    id: 'signal-calibration',
    title: 'Calibration of quality from signs',
    how: 'calibrateMarks on every other dialogue; stated is what it expects of a mark, found is the mean of the other half. Agreement: squared correlation of marks with satisfaction.',
    seed,
    goal: 'stated and found alike',
    columns: [
      'data set',
      'pairs',
      'agreement measured',
      'agreement used',
      'reAsked: stated → found',
      'thanked: stated → found',
      'untroubled: stated → found',
      'agreement on the other half',
    ],
    rows: sets.map((set) => {
      const of = judged.filter((one) => set === 'all' || one.set === set);
      const learnt = calibrateMarks([marked(of.filter(({ dialogue }) => dialogue % 2 === 0))]);
      const rest = of.filter(({ dialogue }) => dialogue % 2 === 1);
      const found = (mark: Marked): number | null =>
        round(meanOf(rest.filter((one) => markOf(one) === mark).map(({ satisfaction }) => satisfaction)));
      return [
        set,
        learnt.pairCount,
        round(learnt.agreementMeasured),
        round(learnt.agreement),
        `${round(learnt.expected.reAsked.mean)} → ${found('reAsked')}`,
        `${round(learnt.expected.thanked.mean)} → ${found('thanked')}`,
        `${round(learnt.expected.untroubled.mean)} → ${found('untroubled')}`,
        round(calibrateMarks([marked(rest)]).agreementMeasured),
      ];
    }),
  };
}

type Marked = 'reAsked' | 'thanked' | 'untroubled';

function markOf({ kind }: Judged): Marked {
  if (kind === 'thanks') return 'thanked';
  return kind === 're_ask' || kind === 'correction' ? 'reAsked' : 'untroubled';
}

/** Evidence in which every answer has both a mark and feedback, or only the mark. */
function marked(judged: readonly Judged[], isRated: (at: number) => boolean = () => true): ModelEvidence {
  const marks = { ...noEvidence('').marks };
  judged.forEach((one, at) => {
    const mark = markOf(one);
    const seen = marks[mark] ?? NO_MARK;
    const { satisfaction } = one;
    marks[mark] = isRated(at)
      ? {
          ...seen,
          feedbackCount: seen.feedbackCount + 1,
          feedbackSum: seen.feedbackSum + satisfaction,
          feedbackSquareSum: seen.feedbackSquareSum + satisfaction ** 2,
        }
      : { ...seen, silentCount: seen.silentCount + 1 };
  });
  return { ...noEvidence(''), successCount: judged.length, requestCount: judged.length, marks };
}

/** Models made of answers, more or fewer of them unhappy ones; are they ranked by what was shown rather than said? */
function syntheticSection(judged: readonly Judged[], seed: number): Section {
  const { modelCount, answerCount, rounds } = SYNTHETIC;
  const middle = meanOf(judged.map(({ satisfaction }) => satisfaction)) ?? 0.5;
  const bad = judged.filter(({ satisfaction }) => satisfaction < middle);
  const good = judged.filter(({ satisfaction }) => satisfaction >= middle);
  const rows = [0.005, 0.02, 0.1].map((ratedShare) => {
    const random = createRandom(seed);
    const taus = { both: [] as number[], said: [] as number[] };
    const spreads: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const models = Array.from({ length: modelCount }, (_, model) => {
        const badShare = 0.1 + (0.5 * model) / (modelCount - 1);
        const answers = Array.from({ length: answerCount }, () =>
          drawn(random.next() < badShare ? bad : good, random),
        );
        const rated = answers.map(() => random.next() < ratedShare);
        return { id: `model-${model}`, answers, rated };
      });
      const truth = models.map(({ answers }) => meanOf(answers.map(({ satisfaction }) => satisfaction)) ?? 0);
      spreads.push(Math.max(...truth) - Math.min(...truth));
      const tau = (isMarked: boolean): number => {
        const cells = models.map(({ id, answers, rated }) => {
          const evidence = marked(answers, (at) => rated[at] ?? false);
          const { reAsked, thanked, untroubled } = evidence.marks;
          const marks = isMarked
            ? evidence.marks
            : {
                ...evidence.marks,
                reAsked: { ...reAsked, silentCount: 0 },
                thanked: { ...thanked, silentCount: 0 },
                untroubled: { ...untroubled, silentCount: 0 },
              };
          return [id, { ...evidence, modelId: id, marks }] as const;
        });
        const [ranking] = buildRankings(new Map([['one', new Map(cells)]]), new PolicyBook()).rankings;
        const qualities = models.map(
          ({ id }) => ranking?.models.find(({ modelId }) => modelId === id)?.quality.value ?? 0,
        );
        return kendallTau(qualities, truth) ?? 0;
      };
      taus.both.push(tau(true));
      taus.said.push(tau(false));
    }
    return [ratedShare, round(meanOf(spreads)), round(meanOf(taus.said)), round(meanOf(taus.both))];
  });
  return {
    id: 'signal-ranking',
    title: 'Synthetic models ranked by estimated quality: tau with true satisfaction',
    how: `${modelCount} models of ${answerCount} USS answers each, 10 to 60 % of them from the less satisfied ones; ${rounds} rounds.`,
    seed,
    goal: null,
    columns: ['share rated', 'best less worst, true', 'ratings only', 'ratings and signs'],
    rows,
  };
}

function drawn(answers: readonly Judged[], random: Random): Judged {
  return answers[random.int(answers.length)] as Judged;
}

/** Votes say whether both answers were bad; signs whether the user asked again. Few conversations have several turns. */
function arenaSection(dir: string, seed: number): Section {
  const memory = new SessionMemory();
  const votes = readRows<{ id: string; turns: string[]; winner: string }>(dir, 'arena_votes_1k').filter(
    ({ turns }) => turns.length > 1,
  );
  const counts = new Map<string, { both: number; other: number }>();
  for (const { id, turns, winner } of votes) {
    const kinds = turns.map(
      (prompt, at) =>
        memory.observe({
          requestId: `${id}/${at}`,
          sessionId: id,
          prompt,
          promptHash: prompt,
          atMs: at * TURN_MS,
        })?.kind,
    );
    const sign = kinds.some((kind) => kind === 're_ask' || kind === 'correction')
      ? 'asked again or corrected'
      : 'went on';
    const known = counts.get(sign) ?? { both: 0, other: 0 };
    if (winner === 'tie (bothbad)') known.both++;
    else known.other++;
    counts.set(sign, known);
  }
  return {
    id: 'signal-arena',
    title: 'The same on Chatbot Arena votes',
    how: 'Conversations of several turns in arena_votes_1k; what the turns show against the vote "both are bad".',
    seed,
    goal: null,
    columns: ['the turns show', 'conversations', 'voted both bad', 'share'],
    rows: [...counts].map(([sign, { both, other }]) => [
      sign,
      both + other,
      both,
      round(both / (both + other)),
    ]),
  };
}
