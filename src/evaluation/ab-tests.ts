import {
  type AbStatus,
  type AbTest,
  type AbTestRequest,
  abEndMsOf,
  abStatusOf,
  abTestsOverlap,
  planAbTest,
} from '../core/ab-test.ts';
import { TallyrankError } from '../core/errors.ts';
import type { Database } from '../store/database.ts';
import { putAbTest, readAbSums, readAbTests } from '../store/queries/ab-tests.ts';
import { type AbVerdict, abVerdictOf } from './ab-verdict.ts';

/** A test as API and commands show it. */
export interface AbTestView extends Omit<AbTest, 'startsAtMs' | 'endsAtMs' | 'stoppedAtMs' | 'createdAtMs'> {
  readonly status: AbStatus;
  /** ISO 8601; null as in {@link AbTest}. */
  readonly startsAt: string;
  readonly endsAt: string | null;
  readonly stoppedAt: string | null;
  readonly createdAt: string;
}

export interface AbTestReport extends AbTestView {
  readonly verdict: AbVerdict;
}

/**
 * All A/B tests of a store: made, shown, stopped and removed. Gateways read them again every few seconds, so that what
 * another program changes holds in them as well.
 */
export class AbTestBook {
  readonly #db: Database;
  readonly #clock: () => number;

  constructor({ db, clock }: { readonly db: Database; readonly clock: () => number }) {
    this.#db = db;
    this.#clock = clock;
  }

  /** By name. */
  async all(): Promise<AbTest[]> {
    return await readAbTests(this.#db);
  }

  async list(): Promise<AbTestView[]> {
    const nowMs = this.#clock();
    return (await this.all()).map((test) => viewOf(test, nowMs));
  }

  /**
   * @throws {TallyrankError} `bad_request` for a test that makes no sense, `conflict` for a name that is taken and for one
   *   that a test of the same use cases and time stands in the way of, and what `modelIdOf` throws
   */
  async create(
    asked: AbTestRequest,
    { createdBy, modelIdOf }: { readonly createdBy: string; readonly modelIdOf: (model: string) => string },
  ): Promise<AbTestView> {
    const nowMs = this.#clock();
    const test = planAbTest(asked, { nowMs, createdBy, modelIdOf });
    const others = await this.all();
    if (others.some(({ name }) => name === test.name)) {
      throw new TallyrankError(
        'conflict',
        `There is an A/B test "${test.name}": choose another name, or remove it.`,
        {
          param: 'name',
        },
      );
    }
    const inTheWay = others.find((other) => abEndIsAhead(other, nowMs) && abTestsOverlap(test, other));
    if (inTheWay !== undefined) {
      throw new TallyrankError(
        'conflict',
        `The A/B test "${inTheWay.name}" is about some of the same use cases at the same time: a request can be in one test only. Stop it, or choose other use cases or another time.`,
        { param: 'useCases' },
      );
    }
    await putAbTest(this.#db, test, { changedAt: new Date(nowMs), changedBy: createdBy });
    return viewOf(test, nowMs);
  }

  /** @throws {TallyrankError} `not_found` */
  async report(name: string): Promise<AbTestReport> {
    const test = await this.#get(name);
    return { ...viewOf(test, this.#clock()), verdict: await this.verdict(test) };
  }

  /** What is known of a test by now. */
  async verdict(test: AbTest): Promise<AbVerdict> {
    const nowMs = this.#clock();
    // Requests begin a moment before they are given an arm: the rows of the test say who is in it, the window where they lie.
    const endMs = Math.min(nowMs, abEndMsOf(test) ?? nowMs) + 1;
    return abVerdictOf(test, await readAbSums(this.#db, test, new Date(Math.max(endMs, test.startsAtMs))));
  }

  /**
   * No request is given an arm any more; those that were stay in the log. One that is over stays as it is.
   *
   * @throws {TallyrankError} `not_found`
   */
  async stop(name: string, changedBy: string): Promise<AbTestView> {
    const test = await this.#get(name);
    const nowMs = this.#clock();
    if (!abEndIsAhead(test, nowMs)) return viewOf(test, nowMs);
    const stopped: AbTest = { ...test, stoppedAtMs: nowMs };
    await putAbTest(this.#db, stopped, { changedAt: new Date(nowMs), changedBy });
    return viewOf(stopped, nowMs);
  }

  /**
   * Forgets a test; what its requests came to stays in the log.
   *
   * @throws {TallyrankError} `not_found`
   */
  async remove(name: string, changedBy: string): Promise<AbTestView> {
    const test = await this.#get(name);
    const nowMs = this.#clock();
    await putAbTest(this.#db, test, { changedAt: new Date(nowMs), changedBy, isRemoved: true });
    return viewOf(test, nowMs);
  }

  async #get(name: string): Promise<AbTest> {
    const test = (await this.all()).find((each) => each.name === name);
    if (test !== undefined) return test;
    throw new TallyrankError('not_found', `There is no A/B test "${name.slice(0, 80)}".`, { param: 'name' });
  }
}

/** Whether a test may still give arms, now or later. */
function abEndIsAhead(test: AbTest, nowMs: number): boolean {
  const status = abStatusOf(test, nowMs);
  return status === 'running' || status === 'scheduled';
}

function viewOf(
  { startsAtMs, endsAtMs, stoppedAtMs, createdAtMs, ...test }: AbTest,
  nowMs: number,
): AbTestView {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    ...test,
    status: abStatusOf({ ...test, startsAtMs, endsAtMs, stoppedAtMs, createdAtMs }, nowMs),
    startsAt: iso(startsAtMs),
    endsAt: endsAtMs === null ? null : iso(endsAtMs),
    stoppedAt: stoppedAtMs === null ? null : iso(stoppedAtMs),
    createdAt: iso(createdAtMs),
  };
}
