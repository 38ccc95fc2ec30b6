import { TallyrankError } from './errors.ts';

/** How much each part of a score counts. They add up to 1. */
export interface ScoreWeights {
  readonly success: number;
  readonly speed: number;
  readonly cost: number;
  readonly quality: number;
}

export type PolicyName = 'auto' | 'auto:cheap' | 'auto:fast' | 'auto:best';

/**
 * How `auto` chooses, in two steps: who is a candidate (margins, certainty, evidence), and which candidate is
 * best (weights). Both steps of every preset come from the one table below.
 */
export interface Policy {
  readonly name: PolicyName;
  readonly weights: ScoreWeights;
  /** A candidate's success may lie this far below the best model's, 0..1. */
  readonly successMargin: number;
  /** The same for quality. */
  readonly qualityMargin: number;
  /** Posterior probability, 0..1, with which a deficit must lie within its margin. */
  readonly certainty: number;
  /** Requests that count for or against a model, in the use case, before it is more than explored. */
  readonly evidenceMin: number;
  /** A model whose 95th percentile of latency lies above is no candidate; null: no ceiling. */
  readonly latencyMaxMs: number | null;
  /** The same for its mean cost per request, US dollars. */
  readonly costMaxUsd: number | null;
}

/** The latency and the price that are worth half of their parts: what "slow" and "dear" mean in a use case. */
export interface Curves {
  readonly speedHalfMs: number;
  readonly costHalfUsd: number;
}

/** What an operator sets for a use case; the rest is as in the table. */
export type UseCaseSettings = {
  readonly [Field in Exclude<keyof Policy, 'name'> | keyof Curves]?: (Policy & Curves)[Field] | undefined;
};

export type PolicyTable = Readonly<Record<PolicyName, Policy>>;

/**
 * Posterior probability of being not worse. Lower, and a model that merely has not failed yet is chosen; higher,
 * and a cheaper model that is equally good waits for thousands of requests.
 */
const CERTAINTY = 0.9;
/**
 * Fewer, and a lucky handful of requests makes a candidate; more, and a use case of twenty requests a week is
 * never routed by its own evidence.
 */
const EVIDENCE_MIN = 20;

/** Neither is asked for unless an operator does. */
const NO_CEILINGS = { latencyMaxMs: null, costMaxUsd: null } as const;

/** The presets. docs/ranking.md shows this table; a test compares the two. */
export const POLICIES: PolicyTable = {
  auto: {
    name: 'auto',
    weights: { success: 0.4, speed: 0.3, cost: 0.2, quality: 0.1 },
    successMargin: 0.05,
    qualityMargin: 0.05,
    certainty: CERTAINTY,
    evidenceMin: EVIDENCE_MIN,
    ...NO_CEILINGS,
  },
  'auto:cheap': {
    name: 'auto:cheap',
    weights: { success: 0.3, speed: 0.1, cost: 0.5, quality: 0.1 },
    successMargin: 0.1,
    qualityMargin: 0.1,
    certainty: CERTAINTY,
    evidenceMin: EVIDENCE_MIN,
    ...NO_CEILINGS,
  },
  'auto:fast': {
    name: 'auto:fast',
    weights: { success: 0.3, speed: 0.5, cost: 0.1, quality: 0.1 },
    successMargin: 0.1,
    qualityMargin: 0.1,
    certainty: CERTAINTY,
    evidenceMin: EVIDENCE_MIN,
    ...NO_CEILINGS,
  },
  'auto:best': {
    name: 'auto:best',
    weights: { success: 0.4, speed: 0.05, cost: 0.05, quality: 0.5 },
    successMargin: 0.02,
    qualityMargin: 0.02,
    certainty: CERTAINTY,
    evidenceMin: EVIDENCE_MIN,
    ...NO_CEILINGS,
  },
};

/**
 * At 15 s an answer is slow enough that people look away, and the curve still tells 1 s from 2 s (0.94 against
 * 0.88); much smaller, and every model above a second looks equally slow. One cent lies between the small hosted
 * models (0.02 to 0.2 cents a request) and the large ones (1 to 5 cents); much smaller, and every paid model is at
 * zero.
 */
export const CURVES: Curves = { speedHalfMs: 15_000, costHalfUsd: 0.01 };

/** Settings that hold in every use case that has none of its own. */
const EVERY_USE_CASE = '*';

/** A policy book as plain data. */
export interface PolicyParts {
  /** By slug; "*" for every use case that has none of its own. */
  readonly settings: Readonly<Record<string, UseCaseSettings>>;
  readonly table: PolicyTable;
}

/**
 * The presets as an operator adjusted them per use case. Weights and margins are those of `auto`: the other presets
 * are asked for by name, and mean what the table says. Certainty, evidence and ceilings hold for all of them.
 */
export class PolicyBook {
  readonly #settings: Readonly<Record<string, UseCaseSettings>>;
  readonly #table: PolicyTable;
  readonly #adjusted = new Map<string, Policy>();

  /** @param settings  by slug; "*" for every use case that has none of its own */
  constructor(settings: Readonly<Record<string, UseCaseSettings>> = {}, table: PolicyTable = POLICIES) {
    this.#settings = settings;
    this.#table = table;
  }

  /** What makes the same book again, in another thread. */
  get parts(): PolicyParts {
    return { settings: this.#settings, table: this.#table };
  }

  /**
   * @param name     "auto", "auto:cheap", or "cheap" alone
   * @param useCase  null: over all use cases
   * @throws {TallyrankError} `bad_request` with the presets there are
   */
  policyOf(name: string, useCase: string | null): Policy {
    const preset = policyOf(name, this.#table);
    const settings = this.#settingsOf(useCase);
    if (settings === null) return preset;
    const key = `${preset.name}\n${useCase}`;
    const known = this.#adjusted.get(key) ?? adjust(preset, settings);
    this.#adjusted.set(key, known);
    return known;
  }

  curvesOf(useCase: string | null): Curves {
    const { speedHalfMs = CURVES.speedHalfMs, costHalfUsd = CURVES.costHalfUsd } =
      this.#settingsOf(useCase) ?? {};
    return { speedHalfMs, costHalfUsd };
  }

  #settingsOf(useCase: string | null): UseCaseSettings | null {
    const own = useCase === null ? EVERY_USE_CASE : useCase;
    if (Object.hasOwn(this.#settings, own)) return this.#settings[own] ?? null;
    return this.#settings[EVERY_USE_CASE] ?? null;
  }
}

function adjust(preset: Policy, settings: UseCaseSettings): Policy {
  const { weights, successMargin, qualityMargin, certainty, evidenceMin, latencyMaxMs, costMaxUsd } =
    settings;
  const isPlain = preset.name === 'auto';
  return {
    name: preset.name,
    weights: (isPlain ? weights : undefined) ?? preset.weights,
    successMargin: (isPlain ? successMargin : undefined) ?? preset.successMargin,
    qualityMargin: (isPlain ? qualityMargin : undefined) ?? preset.qualityMargin,
    certainty: certainty ?? preset.certainty,
    evidenceMin: evidenceMin ?? preset.evidenceMin,
    latencyMaxMs: latencyMaxMs ?? preset.latencyMaxMs,
    costMaxUsd: costMaxUsd ?? preset.costMaxUsd,
  };
}

/** True for a model name that asks us to choose: "auto", "auto:cheap" and whatever else begins so. */
export function isAutoName(name: string): boolean {
  return name === 'auto' || name.startsWith('auto:');
}

/**
 * The preset of a name: "auto:cheap", or "cheap" alone where a policy is asked for; ":latest" may stand behind it.
 *
 * @throws {TallyrankError} `bad_request` with the presets there are
 */
export function policyOf(name: string, policies: PolicyTable = POLICIES): Policy {
  // Ollama's clients add the tag to any name that has none.
  const full = isAutoName(name) ? name.replace(/:latest$/, '') : `auto:${name}`;
  if (Object.hasOwn(policies, full)) return policies[full as PolicyName];
  const known = Object.keys(policies).join(', ');
  throw new TallyrankError('bad_request', `"${name.slice(0, 40)}" is not a policy; there are ${known}.`, {
    param: 'model',
  });
}
