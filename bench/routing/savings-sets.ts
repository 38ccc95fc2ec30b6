import { hasFile, readRows } from '../ranking/data.ts';

/** A prompt whose cost with every model is known. */
export interface PricedPrompt {
  readonly useCase: string;
  readonly promptLength: number;
  readonly promptTokens: number;
  readonly outcomes: ReadonlyMap<string, PricedOutcome>;
}

export interface PricedOutcome {
  readonly costUsd: number;
  readonly completionTokens: number;
  /** 0..1 */
  readonly score: number;
}

export interface PricedSet {
  readonly name: string;
  /** Those with a cost on nearly every prompt, cheapest first. */
  readonly modelIds: readonly string[];
  readonly prompts: readonly PricedPrompt[];
}

interface OutcomeRow {
  readonly domain: string;
  readonly prompt_id: string;
  readonly model: string;
  readonly score: number;
  readonly in_chars?: number;
  readonly out_chars?: number;
  readonly cost_usd?: number;
  readonly est_cost_usd?: number;
}

/** Sets with recorded or estimated costs, and the one that both judges' prompts are under. */
const SETS = {
  routerbench_part: 'routerbench_part',
  zeroeval: 'zeroeval',
  routellm: 'routellm',
  alpaca_eval2: 'alpaca_eval',
  alpaca_eval1: 'alpaca_eval',
} as const;

const CHARS_PER_TOKEN = 4;
const COVERED_SHARE_MIN = 0.95;

export function readPricedSets(dir: string): PricedSet[] {
  const lengths = new Map(
    readRows<{ readonly set: string; readonly prompt_id: string; readonly prompt: string }>(
      dir,
      'routing_prompts',
    ).map((row) => [`${row.set} ${row.prompt_id}`, row.prompt.length]),
  );
  return Object.entries(SETS)
    .filter(([name]) => hasFile(dir, `routing_outcomes_${name}`))
    .map(([name, promptSet]) => {
      const rows = readRows<OutcomeRow>(dir, `routing_outcomes_${name}`);
      return toSet(name, rows, (id) => lengths.get(`${promptSet} ${id}`) ?? 0);
    });
}

function toSet(name: string, rows: readonly OutcomeRow[], lengthOf: (id: string) => number): PricedSet {
  const prompts = new Map<string, PricedPrompt & { readonly outcomes: Map<string, PricedOutcome> }>();
  const covered = new Map<string, { count: number; costUsd: number }>();
  for (const row of rows) {
    const costUsd = row.cost_usd ?? row.est_cost_usd;
    if (costUsd === undefined) continue;
    const key = `${row.domain} ${row.prompt_id}`;
    const promptLength = row.in_chars ?? lengthOf(row.prompt_id);
    const promptTokens = Math.round(promptLength / CHARS_PER_TOKEN);
    const known = prompts.get(key) ?? {
      useCase: row.domain,
      promptLength,
      promptTokens,
      outcomes: new Map<string, PricedOutcome>(),
    };
    const completionTokens = Math.round((row.out_chars ?? 0) / CHARS_PER_TOKEN);
    known.outcomes.set(row.model, { costUsd, completionTokens, score: row.score });
    prompts.set(key, known);
    const model = covered.get(row.model) ?? { count: 0, costUsd: 0 };
    covered.set(row.model, { count: model.count + 1, costUsd: model.costUsd + costUsd });
  }
  const all = [...prompts.values()];
  return {
    name,
    modelIds: [...covered]
      .filter(([, { count }]) => count >= COVERED_SHARE_MIN * all.length)
      .sort(([, one], [, other]) => one.costUsd - other.costUsd)
      .map(([modelId]) => modelId),
    prompts: all,
  };
}
