import type { Snapshot } from '../core/snapshot.ts';

/** Where the hot path reads: never waits, never null. */
export interface SnapshotSource {
  readonly current: Snapshot;
}

/** Rankings that belong to a published version, newer than those that it was published with. */
type NewerRankings = Pick<Snapshot, 'version' | 'rankings' | 'overall'>;

/** Holds the current snapshot; replaced whole by whoever publishes or polls, and as requests come in. */
export class SnapshotHolder implements SnapshotSource {
  #current: Snapshot;

  constructor(first: Snapshot) {
    this.#current = first;
  }

  get current(): Snapshot {
    return this.#current;
  }

  replace(next: Snapshot): void {
    this.#current = next;
  }

  /**
   * Takes other rankings into the current snapshot, as a new one: a reader that holds the old one keeps it whole.
   *
   * @returns false when they belong to another version, and nothing was done
   */
  replaceRankings({ version, rankings, overall }: NewerRankings): boolean {
    const current = this.#current;
    if (version !== current.version) return false;
    if (rankings !== current.rankings) this.#current = { ...current, rankings, overall };
    return true;
  }
}
