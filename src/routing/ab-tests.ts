import { createHash } from 'node:crypto';
import { type AbArm, type AbTest, type AbUnit, abStatusOf } from '../core/ab-test.ts';
import type { UniformSource } from './exploration.ts';
import type { RoutingMessage } from './message.ts';

/** One request and the test that it belongs to. */
export interface AbTrial {
  readonly test: AbTest;
  /** null: the request is of those that the test leaves outside. */
  readonly arm: AbArm | null;
  /** What keeps the arm; `request` where whom it should stick to is not known. */
  readonly unit: AbUnit;
}

/** What a request has that a test looks at. */
export type AbSubject = Pick<RoutingMessage, 'userId' | 'sessionId'> & { readonly useCase: string };

/** Bytes of a hash that make one number in [0, 1): 48 bits, all exact in a double. */
const HASH_BYTES = 6;
const HASH_RANGE = 2 ** (8 * HASH_BYTES);

/**
 * The A/B tests that are known, and who is in which arm. The same unit gets the same arm in every gateway and after
 * every restart, with nothing remembered: share and arm come from two parts of a hash of test and unit.
 */
export class AbTests {
  /** By start, then name: the first that matches owns a request. */
  #tests: readonly AbTest[] = [];

  /** @param tests  all that are known; stopped and ended ones are passed over */
  replace(tests: readonly AbTest[]): void {
    this.#tests = tests
      .filter(({ stoppedAtMs }) => stoppedAtMs === null)
      .sort((one, other) => one.startsAtMs - other.startsAtMs || (one.name < other.name ? -1 : 1));
  }

  /**
   * The trial that a request of `auto` is in; null when no running test is about it.
   *
   * @param random  null: nothing is drawn, so that a request which is a unit by itself is in no test
   */
  trialOf(subject: AbSubject, nowMs: number, random: UniformSource | null): AbTrial | null {
    const test = this.#tests.find(
      (each) =>
        (each.useCases.length === 0 || each.useCases.includes(subject.useCase)) &&
        abStatusOf(each, nowMs) === 'running',
    );
    if (test === undefined) return null;
    const [unit, id] = unitOf(test.stickyBy, subject);
    if (id === null) {
      if (random === null) return null;
      return { test, arm: armAt(test, random.next(), random.next()), unit };
    }
    const hash = createHash('sha256').update(`${test.name}\n${test.startsAtMs}\n${unit}:${id}`).digest();
    const fraction = (at: number): number => hash.readUIntBE(at * HASH_BYTES, HASH_BYTES) / HASH_RANGE;
    return { test, arm: armAt(test, fraction(0), fraction(1)), unit };
  }
}

/** Whom a request sticks to: the user, without one the session, without that nobody. */
function unitOf(stickyBy: AbUnit, { userId, sessionId }: AbSubject): readonly [AbUnit, string | null] {
  if (stickyBy === 'user' && userId) return ['user', userId];
  if (stickyBy !== 'request' && sessionId) return ['session', sessionId];
  return ['request', null];
}

/** @param membership @param place  two independent numbers in [0, 1) */
function armAt({ share, arms }: AbTest, membership: number, place: number): AbArm | null {
  if (membership >= share) return null;
  let left = place;
  for (const arm of arms) {
    left -= arm.weight;
    if (left < 0) return arm;
  }
  // The weights add up to 1 but for rounding.
  return arms.at(-1) ?? null;
}
