import { TallyrankError } from './errors.ts';
import { isAutoName, type PolicyName, policyOf } from './policy.ts';
import { isSlug } from './use-case.ts';

/** What arms are compared by. Success and satisfaction are better when greater, cost and latency when smaller. */
export const AB_METRICS = ['success', 'satisfaction', 'cost', 'latency'] as const;
export type AbMetric = (typeof AB_METRICS)[number];

/** Who keeps the arm that it was given once. */
export const AB_UNITS = ['user', 'session', 'request'] as const;
export type AbUnit = (typeof AB_UNITS)[number];

/** One side of a test: a model, or a preset of `auto` in its stead. The other of the two is null. */
export interface AbArm {
  readonly name: string;
  /** Canonical id. */
  readonly model: string | null;
  readonly policy: PolicyName | null;
  /** Part of the test's requests, 0..1; those of all arms add up to 1. */
  readonly weight: number;
}

/** Two to eight ways of serving a part of the `auto` requests, drawn by chance and compared. Never edited, only stopped. */
export interface AbTest {
  readonly name: string;
  /** Slugs; empty: all of them. */
  readonly useCases: readonly string[];
  /** The first is the control, which the others are compared with. */
  readonly arms: readonly AbArm[];
  /** Part 0..1 of the matching units that is in the test. */
  readonly share: number;
  readonly startsAtMs: number;
  /** null: until it is stopped. */
  readonly endsAtMs: number | null;
  readonly metric: AbMetric;
  /**
   * Difference that does not matter: 0..1 for success and satisfaction, part of the control's mean for cost and latency;
   * null: every difference does.
   */
  readonly margin: number | null;
  readonly stickyBy: AbUnit;
  /** When an operator ended it; null: nobody did. */
  readonly stoppedAtMs: number | null;
  readonly createdAtMs: number;
  /** "api" or "cli"; never a key. */
  readonly createdBy: string;
}

export type AbStatus = 'scheduled' | 'running' | 'ended' | 'stopped';

/** The arm that a request was given. */
export interface AbAssignment {
  readonly name: string;
  readonly arm: string;
}

/** A test as somebody asks for it; what is left out takes its default. */
export interface AbTestRequest {
  readonly name: string;
  /** Default: all. */
  readonly useCases?: readonly string[] | undefined;
  readonly arms: readonly {
    readonly name: string;
    readonly model?: string | undefined;
    readonly policy?: string | undefined;
    /** Default 1; only the ratios count. */
    readonly weight?: number | undefined;
  }[];
  /** Default 1. */
  readonly share?: number | undefined;
  /** ISO 8601; default: now. */
  readonly startsAt?: string | undefined;
  /** ISO 8601; default: none. */
  readonly endsAt?: string | null | undefined;
  /** Default: success. */
  readonly metric?: AbMetric | undefined;
  readonly margin?: number | null | undefined;
  /** Default: user. */
  readonly stickyBy?: AbUnit | undefined;
}

const NAME = /^[a-z0-9][a-z0-9_-]{0,59}$/;
const ARMS_MIN = 2;
/** Each further arm makes all verdicts later; more than some are a search, which exploration does better. */
const ARMS_MAX = 8;
/** Clocks of a command and of the one who calls it may differ by so much. */
const PAST_MAX_MS = 60_000;

/**
 * The test that is asked for, with every fault said by name.
 *
 * @param modelIdOf  canonical id of a model by any of its names; throws for one that `auto` could not use
 * @throws {TallyrankError} `bad_request`, and what `modelIdOf` throws
 */
export function planAbTest(
  given: AbTestRequest,
  {
    nowMs,
    createdBy,
    modelIdOf,
  }: { readonly nowMs: number; readonly createdBy: string; readonly modelIdOf: (model: string) => string },
): AbTest {
  const { name, share = 1, metric = 'success', stickyBy = 'user', margin = null } = given;
  if (!NAME.test(name)) {
    refuse(
      'name',
      `"${name.slice(0, 80)}" must be 1 to 60 of a-z, 0-9, - and _, and begin with one of the first two`,
    );
  }
  const useCases = [...new Set(given.useCases ?? [])];
  const odd = useCases.find((slug) => !isSlug(slug));
  if (odd !== undefined) refuse('useCases', `"${odd.slice(0, 80)}" is not the slug of a use case`);
  if (!(share > 0 && share <= 1)) refuse('share', `${share} must lie above 0 and be at most 1`);
  if (margin !== null && !(margin > 0 && margin < 1)) refuse('margin', `${margin} must lie between 0 and 1`);
  if (!AB_METRICS.includes(metric)) refuse('metric', `it must be one of ${AB_METRICS.join(', ')}`);
  if (!AB_UNITS.includes(stickyBy)) refuse('stickyBy', `it must be one of ${AB_UNITS.join(', ')}`);
  const startsAtMs = given.startsAt === undefined ? nowMs : momentOf('startsAt', given.startsAt);
  if (startsAtMs < nowMs - PAST_MAX_MS) refuse('startsAt', 'it lies in the past; leave it out to start now');
  const endsAtMs = given.endsAt == null ? null : momentOf('endsAt', given.endsAt);
  if (endsAtMs !== null && endsAtMs <= Math.max(startsAtMs, nowMs))
    refuse('endsAt', 'it must lie after the start');
  return {
    name,
    useCases,
    arms: armsOf(given.arms, modelIdOf),
    share,
    startsAtMs,
    endsAtMs,
    metric,
    margin,
    stickyBy,
    stoppedAtMs: null,
    createdAtMs: nowMs,
    createdBy,
  };
}

function armsOf(given: AbTestRequest['arms'], modelIdOf: (model: string) => string): AbArm[] {
  if (given.length < ARMS_MIN || given.length > ARMS_MAX) {
    refuse('arms', `there must be ${ARMS_MIN} to ${ARMS_MAX} of them, not ${given.length}`);
  }
  const total = given.reduce((sum, { weight = 1 }) => sum + weight, 0);
  const arms = given.map(({ name, model, policy, weight = 1 }): AbArm => {
    if (!NAME.test(name)) refuse('arms', `"${name.slice(0, 80)}" is no name: 1 to 60 of a-z, 0-9, - and _`);
    if (!(weight > 0 && Number.isFinite(weight))) refuse('arms', `the weight of "${name}" must be above 0`);
    if ((model === undefined) === (policy === undefined)) {
      refuse('arms', `"${name}" needs either a model or a policy`);
    }
    if (policy !== undefined)
      return { name, model: null, policy: policyOf(policy).name, weight: weight / total };
    if (model === undefined || isAutoName(model)) {
      refuse('arms', `"${name}": ${model} is a policy and no model`);
    }
    return { name, model: modelIdOf(model), policy: null, weight: weight / total };
  });
  const names = arms.map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) refuse('arms', `two of them are called "${twice}"`);
  const targets = arms.map(({ model, policy }) => model ?? policy);
  const same = targets.find((target, at) => targets.indexOf(target) !== at);
  // Two equal arms are an A/A test: a way to check the whole, and allowed when nothing else is in it.
  if (same !== undefined && new Set(targets).size > 1) refuse('arms', `two of them are ${same}`);
  return arms;
}

export function abStatusOf(test: AbTest, nowMs: number): AbStatus {
  if (test.stoppedAtMs !== null) return 'stopped';
  if (nowMs < test.startsAtMs) return 'scheduled';
  return test.endsAtMs !== null && nowMs >= test.endsAtMs ? 'ended' : 'running';
}

/** When a test gives no more arms; null: not known yet. */
export function abEndMsOf({ endsAtMs, stoppedAtMs }: AbTest): number | null {
  if (endsAtMs === null || stoppedAtMs === null) return endsAtMs ?? stoppedAtMs;
  return Math.min(endsAtMs, stoppedAtMs);
}

/** Whether some request could belong to both. */
export function abTestsOverlap(one: AbTest, other: AbTest): boolean {
  const ends = (test: AbTest): number => abEndMsOf(test) ?? Number.POSITIVE_INFINITY;
  if (one.startsAtMs >= ends(other) || other.startsAtMs >= ends(one)) return false;
  const isOfAll = one.useCases.length === 0 || other.useCases.length === 0;
  return isOfAll || one.useCases.some((useCase) => other.useCases.includes(useCase));
}

function momentOf(field: string, text: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) refuse(field, `"${text.slice(0, 40)}" is not a moment like 2026-11-30T12:00:00Z`);
  return ms;
}

function refuse(field: string, why: string): never {
  throw new TallyrankError('bad_request', `${field}: ${why}.`, { param: field });
}
