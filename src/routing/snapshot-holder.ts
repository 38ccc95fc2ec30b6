import type { Snapshot } from '../core/snapshot.ts';

/** Where the hot path reads: never waits, never null. */
export interface SnapshotSource {
  readonly current: Snapshot;
}

/** Holds the current snapshot; replaced whole by whoever publishes or polls. */
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
}
