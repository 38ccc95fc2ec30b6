import { TallyrankError } from '../core/errors.ts';
import type { Policy } from '../core/policy.ts';
import type { UseCaseRanking } from '../core/snapshot.ts';
import { buildRankings } from './build-rankings.ts';
import type { EvidenceBook, ObservedRequest } from './evidence.ts';
import { addToBook, evidenceOfRequest, mergeBooks } from './evidence.ts';

/** Pairs of use case and model that may be updated in memory. Beyond it the names are surely not names. */
const CELLS_MAX = 10_000;

/**
 * Requests that no log knows of, on top of the store's evidence, in memory only. Rankings are computed when
 * they are next read, so an update costs a few additions.
 */
export class LiveRankings {
  readonly #policy: Policy;
  #stored: EvidenceBook = new Map();
  #unlogged: EvidenceBook = new Map();
  #rankings: ReadonlyMap<string, UseCaseRanking> | null = null;

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  /** The store's evidence, read anew: unlogged requests stay on top of it. */
  rebase(stored: EvidenceBook): void {
    this.#stored = stored;
    this.#rankings = null;
  }

  /** @throws {TallyrankError} `bad_request` when far more names come in than there are models and use cases */
  add(useCase: string, modelId: string, request: ObservedRequest): void {
    const isNew = !this.#unlogged.get(useCase)?.has(modelId);
    if (isNew && this.#cellCount() >= CELLS_MAX) {
      throw new TallyrankError(
        'bad_request',
        `More than ${CELLS_MAX} pairs of use case and model were updated.`,
      );
    }
    this.#unlogged = addToBook(this.#unlogged, useCase, evidenceOfRequest(modelId, request));
    this.#rankings = null;
  }

  /** Rankings of the use cases that have unlogged requests; empty in the usual case. */
  get rankings(): ReadonlyMap<string, UseCaseRanking> {
    if (this.#rankings === null) {
      const { rankings } =
        this.#unlogged.size === 0
          ? { rankings: [] }
          : buildRankings(mergeBooks(this.#stored, this.#unlogged), this.#policy);
      this.#rankings = new Map(
        rankings
          .filter((ranking) => this.#unlogged.has(ranking.useCase))
          .map((ranking) => [ranking.useCase, ranking]),
      );
    }
    return this.#rankings;
  }

  #cellCount(): number {
    let count = 0;
    for (const models of this.#unlogged.values()) count += models.size;
    return count;
  }
}
