import type { AbArm } from '../core/ab-test.ts';
import type { CandidateChance, Decision } from '../core/decision.ts';
import type { Policy } from '../core/policy.ts';
import type { AbSubject, AbTests, AbTrial } from './ab-tests.ts';
import { CandidateChances, rounded } from './candidate-chances.ts';
import { chosenFirst, type Frame } from './decisions.ts';
import type { DrawTable, Exploration, UniformSource } from './exploration.ts';
import type { ModelRegistry, Plan } from './plan.ts';
import { type Course, shapedReason } from './routing-rules.ts';
import { reasonOfBest, type StickySessions, stayOf } from './sticky-sessions.ts';

/** How a plan is followed. */
export interface Following {
  readonly ruleName: string | null;
  readonly course: Course;
  /** Whose request it is. */
  readonly subject: Omit<AbSubject, 'useCase'>;
  /** null: nothing is drawn, and nothing remembered. */
  readonly random: UniformSource | null;
  /** What another preset would do with the same request; null when no model may serve it. */
  planBy(policy: Policy['name']): Plan | null;
}

export interface Planned {
  readonly decision: Decision;
  readonly plan: Plan | null;
  readonly table: DrawTable | null;
}

/** One way in which a request may go: a plan as its session and chance leave it, or the model of an arm. */
interface Way {
  readonly plan: Plan;
  /** Taken where neither session nor chance says otherwise. */
  readonly bestId: string;
  /** What the session keeps to; null: it is new, or there is none. */
  readonly stay: { readonly modelId: string; readonly reason: string } | null;
  /** What chance would do with a new session. */
  readonly freely: DrawTable | null;
  readonly isUnderWay: boolean;
  /** Under which the session remembers its model; null: it does not. */
  readonly policy: string | null;
}

interface Parts {
  readonly registry: ModelRegistry;
  readonly exploration: Exploration;
  readonly sessions: StickySessions;
  readonly abTests: AbTests;
  readonly clock: () => number;
}

/** Makes a decision of a plan: an A/B test, the session and chance may take another model than the best. */
export class PlanFollower {
  readonly #registry: ModelRegistry;
  readonly #exploration: Exploration;
  readonly #sessions: StickySessions;
  readonly #abTests: AbTests;
  readonly #clock: () => number;
  readonly #candidates = new CandidateChances();
  readonly #trialRows = new TrialRows();

  constructor({ registry, exploration, sessions, abTests, clock }: Parts) {
    this.#registry = registry;
    this.#exploration = exploration;
    this.#sessions = sessions;
    this.#abTests = abTests;
    this.#clock = clock;
  }

  follow(frame: Frame, plan: Plan, following: Following): Planned {
    const nowMs = this.#clock();
    const { mayExplore } = following.course;
    const { useCase } = frame.classification;
    const { random, subject } = following;
    const sessionId = subject.sessionId || null;
    const policy = frame.policy.name;
    const outside = this.#way(plan, { useCase, sessionId, policy, mayExplore, nowMs });
    // Who asks for another preset, or for nothing left to chance, has said what they want.
    const trial =
      mayExplore && policy === 'auto' ? this.#abTests.trialOf({ ...subject, useCase }, nowMs, random) : null;
    if (trial === null) return this.#take(frame, outside, following, nowMs);
    const ways = new Map<AbArm, Way>();
    for (const arm of trial.test.arms) {
      const way = this.#wayOfArm(arm, trial, { frame, plan, following, nowMs });
      // What one arm cannot serve is served by none: else the arms would get different requests.
      if (way === null) return this.#take(frame, outside, following, nowMs);
      ways.set(arm, way);
    }
    const taken = (trial.arm === null ? undefined : ways.get(trial.arm)) ?? outside;
    return this.#take(frame, taken, following, nowMs, (decision) =>
      trialDecision(decision, { trial, ways, outside, taken }, this.#trialRows),
    );
  }

  /** What may be drawn of a plan in a use case; null where nothing is. */
  tableOf(plan: Plan, useCase: string, open = this.#healthyOf(plan.modelIds)): DrawTable | null {
    if (!this.#exploration.isOn(useCase)) return null;
    return this.#exploration.tableOf(plan, open, { registry: this.#registry, nowMs: this.#clock() });
  }

  #way(
    plan: Plan,
    asked: {
      readonly useCase: string;
      readonly sessionId: string | null;
      readonly policy: string;
      readonly mayExplore: boolean;
      readonly nowMs: number;
    },
  ): Way {
    const { useCase, sessionId, policy, mayExplore, nowMs } = asked;
    const heldId = sessionId === null ? null : this.#sessions.modelOf(sessionId, policy, nowMs);
    const open = this.#healthyOf(plan.modelIds);
    return {
      plan,
      bestId: open[0] as string,
      stay: heldId === null ? null : stayOf(heldId, plan, open, this.#sessions.switchMargin),
      freely: mayExplore ? this.tableOf(plan, useCase, open) : null,
      isUnderWay: heldId !== null,
      policy: sessionId === null ? null : policy,
    };
  }

  /** null: the arm cannot serve the request. */
  #wayOfArm(
    arm: AbArm,
    { test, unit }: AbTrial,
    given: {
      readonly frame: Frame;
      readonly plan: Plan;
      readonly following: Following;
      readonly nowMs: number;
    },
  ): Way | null {
    const { frame, plan, following, nowMs } = given;
    // Sessions keep to an arm's model only where they keep the arm.
    const sessionId = unit === 'request' ? null : following.subject.sessionId || null;
    const policy = `${test.name}/${arm.name}`;
    if (arm.policy !== null) {
      const own = following.planBy(arm.policy);
      const { useCase } = frame.classification;
      return own === null ? null : this.#way(own, { useCase, sessionId, policy, mayExplore: true, nowMs });
    }
    const modelId = this.#registry.catalog.canonicalId(arm.model ?? '');
    if (!plan.modelIds.includes(modelId)) return null;
    return {
      plan,
      bestId: modelId,
      stay: null,
      freely: null,
      isUnderWay: sessionId !== null && this.#sessions.modelOf(sessionId, policy, nowMs) !== null,
      policy: sessionId === null ? null : policy,
    };
  }

  /** The session's model, else the best or what chance takes in its place. */
  #take(
    frame: Frame,
    way: Way,
    { ruleName, course, subject, random }: Following,
    nowMs: number,
    finish: (decision: Decision) => Decision = (decision) => decision,
  ): Planned {
    const { plan, bestId, stay, freely } = way;
    const { useCase, confidence } = frame.classification;
    const table = tableOfWay(way);
    const drawn = table === null || random === null ? null : this.#exploration.draw(table, random);
    const taken = table?.isShadow === true ? null : drawn;
    const modelId = stay?.modelId ?? taken?.modelId ?? bestId;
    const isExploration = stay === null && modelId !== bestId;
    const isBySession = stay !== null && (modelId !== bestId || (freely?.rate ?? 0) > 0);
    const reason = isExploration
      ? (taken?.reason ?? plan.reason)
      : (stay?.reason ?? reasonOfBest(plan, bestId));
    const decision = finish({
      cause: isExploration ? 'exploration' : isBySession ? 'session' : plan.cause,
      ruleName: course.shapedBy[0] ?? ruleName,
      policy: frame.policy.name,
      useCase,
      useCaseConfidence: confidence,
      useCaseRule: frame.useCaseRule,
      modelIds: chosenFirst(modelId, plan),
      candidates: this.#candidates.rowsOf(plan, table),
      propensity: table?.isShadow === false ? ((taken ?? table.rows[0])?.probability ?? 1) : 1,
      isExploration,
      shadowModelId: taken !== drawn && drawn?.modelId !== bestId ? (drawn?.modelId ?? null) : null,
      runId: frame.snapshot.runId,
      snapshotVersion: frame.snapshot.version,
      reason: course.shapedBy.length === 0 ? reason : reason + shapedReason(course),
    });
    if (random !== null) {
      if (subject.sessionId && way.policy !== null) {
        this.#sessions.note(subject.sessionId, { modelId, policy: way.policy }, nowMs);
      }
      if (drawn !== null) this.#exploration.note(decision, drawn, nowMs);
    }
    return { decision, plan, table };
  }

  /** Models whose provider is not known to be away; all of them when every one is. */
  #healthyOf(modelIds: readonly string[]): readonly string[] {
    const registry = this.#registry;
    if (registry.health === undefined) return modelIds;
    const isHealthy = (id: string): boolean => registry.health?.(id) !== false;
    if (modelIds.every(isHealthy)) return modelIds;
    const healthy = modelIds.filter(isHealthy);
    return healthy.length > 0 ? healthy : modelIds;
  }
}

/** A session that changes over in its midst goes to the best: one cold cache is enough. */
function tableOfWay({ stay, freely }: Way): DrawTable | null {
  return stay === null ? freely : null;
}

/** Probability with which a request that goes this way gets the model. */
function chanceIn(way: Way, modelId: string): number {
  const table = tableOfWay(way);
  if (table?.isShadow === false) {
    return table.rows.find((row) => row.modelId === modelId)?.probability ?? 0;
  }
  return modelId === (way.stay?.modelId ?? way.bestId) ? 1 : 0;
}

interface Ways {
  readonly trial: AbTrial;
  readonly ways: ReadonlyMap<AbArm, Way>;
  readonly outside: Way;
  readonly taken: Way;
}

/**
 * The decision with the probability that the test as a whole gives it, inside and outside of it:
 * share * sum of weight * chance in the arm + (1 - share) * chance outside. A session that keeps its arm was drawn when
 * it began: its later requests have 1, as those of any session.
 */
function trialDecision(decision: Decision, given: Ways, rows: TrialRows): Decision {
  const { trial, ways, outside, taken } = given;
  const { test, arm, unit } = trial;
  const isDrawn = !(unit !== 'request' && taken.isUnderWay);
  const chanceOf = (modelId: string): number => {
    let inside = 0;
    for (const [{ weight }, way] of ways) inside += weight * chanceIn(way, modelId);
    return test.share * inside + (1 - test.share) * chanceIn(outside, modelId);
  };
  const modelId = decision.modelIds[0] as string;
  return {
    ...decision,
    ...(arm === null
      ? {}
      : {
          cause: 'ab_test',
          abTest: { name: test.name, arm: arm.name },
          reason: `Arm "${arm.name}" of the A/B test "${test.name}": ${modelId}.${arm.policy === null ? '' : ` ${decision.reason}`}`,
        }),
    ...(isDrawn
      ? {
          propensity: chanceOf(modelId),
          candidates: rows.rowsOf(decision.candidates, given, chanceOf),
        }
      : { propensity: 1 }),
  };
}

interface KnownRows {
  /** What the chances were made of. */
  readonly of: readonly unknown[];
  readonly rows: readonly CandidateChance[];
}

/** Rows with the probabilities of a test; the same while nothing that they are made of changes, and so made seldom. */
class TrialRows {
  readonly #known = new WeakMap<readonly CandidateChance[], KnownRows>();

  rowsOf(
    rows: readonly CandidateChance[],
    { trial, ways, outside }: Ways,
    chanceOf: (modelId: string) => number,
  ): readonly CandidateChance[] {
    const all = [outside, ...ways.values()];
    const of = [trial.test, ...all.map((way) => tableOfWay(way) ?? way.stay?.modelId ?? way.bestId)];
    const known = this.#known.get(rows);
    if (known?.of.length === of.length && known.of.every((part, at) => part === of[at])) return known.rows;
    const listed = new Set(rows.map(({ modelId }) => modelId));
    const others = new Set(all.map(({ bestId }) => bestId).filter((modelId) => !listed.has(modelId)));
    const unlisted = [...others].map((modelId) => ({
      modelId,
      score: null,
      isCandidate: false,
      reason: 'no requests yet',
    }));
    const made = [...rows, ...unlisted].map((row) => ({
      ...row,
      probability: rounded(chanceOf(row.modelId)),
    }));
    this.#known.set(rows, { of, rows: made });
    return made;
  }
}
