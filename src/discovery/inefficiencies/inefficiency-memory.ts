import type { Database } from '../../store/database.ts';
import { readLatestPublished } from '../../store/queries/snapshots.ts';
import type { WasteScope } from '../../store/queries/waste/waste-scope.ts';
import type { InefficiencyEvidence, ModelRecord } from './evidence.ts';
import type { Inefficiency } from './inefficiency.ts';
import { readInefficiencies } from './read-inefficiencies.ts';

interface Remembered {
  readonly atMs: number;
  readonly toMs: number;
  readonly inefficiencies: readonly Inefficiency[];
}

/** Requests of a window that are read anew each time; that takes a fraction of a second. */
const SMALL_REQUESTS_MAX = 20_000;
/** Longer, and a finding outlives its cause on the page; shorter, and an open page keeps the engine busy. */
const AGE_MAX_MS = 5 * 60_000;
/** Windows of different length that people look at side by side. */
const WINDOWS_MAX = 8;

/**
 * Inefficiencies of large windows, read once in five minutes and ranking: a page that asks for the same window every few
 * seconds would otherwise scan the raw log all the time.
 */
export class InefficiencyMemory {
  readonly #clock: () => number;
  readonly #policies: InefficiencyEvidence['policies'];
  readonly #remembered = new Map<string, Remembered>();

  constructor(clock: () => number, policies: InefficiencyEvidence['policies']) {
    this.#clock = clock;
    this.#policies = policies;
  }

  async read(
    db: Database,
    scope: WasteScope,
    rows: readonly ModelRecord[],
  ): Promise<readonly Inefficiency[]> {
    const requestCount = rows.reduce((sum, row) => sum + row.requestCount, 0);
    const published = await readLatestPublished(db);
    // A ranking of another run speaks of other use cases.
    const rankings = published?.runId === scope.runId ? published.rankings : [];
    const grounds = { rankings, policies: this.#policies };
    if (requestCount <= SMALL_REQUESTS_MAX) return readInefficiencies(db, scope, rows, grounds);
    const toMs = scope.to.getTime();
    const key = `${scope.runId} ${published?.version} ${toMs - scope.from.getTime()}`;
    const known = this.#remembered.get(key);
    const isFresh =
      known !== undefined &&
      this.#clock() - known.atMs < AGE_MAX_MS &&
      Math.abs(toMs - known.toMs) < AGE_MAX_MS;
    if (isFresh) return known.inefficiencies;
    const atMs = this.#clock();
    const inefficiencies = await readInefficiencies(db, scope, rows, grounds);
    this.#remembered.delete(key);
    this.#remembered.set(key, { atMs, toMs, inefficiencies });
    if (this.#remembered.size > WINDOWS_MAX) this.#forgetOldest();
    return inefficiencies;
  }

  #forgetOldest(): void {
    for (const oldest of this.#remembered.keys()) {
      this.#remembered.delete(oldest);
      return;
    }
  }
}
