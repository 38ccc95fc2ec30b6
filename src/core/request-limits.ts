/** Which models one request, or the key that it came with, may be given. */
export interface RequestLimits {
  /** Whose limits they are, for people: "the request", "its key". */
  readonly origin: string;
  /** None but these, by any of their names; null: all. */
  readonly allowModels: readonly string[] | null;
  /** All but these; null: all. */
  readonly denyModels: readonly string[] | null;
  /** Dollars: a model whose requests cost more on average is left out; null: no ceiling. */
  readonly costMaxUsd: number | null;
  /** Milliseconds: a model whose 95th percentile lies above is left out; null: no ceiling. */
  readonly latencyMaxMs: number | null;
  /** Only models that run on the operator's own hardware. */
  readonly isLocalOnly: boolean;
}
