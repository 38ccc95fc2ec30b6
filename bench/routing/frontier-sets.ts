import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { MatrixBuilder, type OutcomeMatrix, type OutcomeRow } from '../../src/evaluation/outcome-file.ts';

/** An outcome set as a complete matrix: every model answered every prompt. */
export interface RoutingSet {
  /** "zeroeval", or "zeroeval, priced" for the models whose cost is known. */
  readonly name: string;
  readonly hasCosts: boolean;
  /** Enough prompts for thirty outcomes per model and use case from one outcome a prompt. */
  readonly isLarge: boolean;
  readonly matrix: OutcomeMatrix;
}

interface PromptRow {
  readonly set: string;
  readonly prompt_id: string;
  readonly domain: string;
  readonly prompt: string;
  readonly core?: string;
  readonly sub?: string;
}

interface SharedRow {
  readonly prompt_id: string;
  readonly model: string;
  readonly score: number;
  readonly cost_usd?: number;
  readonly est_cost_usd?: number;
  readonly in_chars?: number;
  readonly out_chars?: number;
}

interface PriceRow {
  readonly model: string;
  readonly input_usd_per_mtok?: number;
  readonly output_usd_per_mtok?: number;
}

const SETS = [
  'routerdc',
  'routellm',
  'routerbench_part',
  'zeroeval',
  'alpaca_eval2',
  'alpaca_eval1',
] as const;
const LARGE: ReadonlySet<string> = new Set(['routerdc', 'routellm']);
/** They cheat the judge; see the data's README. */
const CHEATS: ReadonlySet<string> = new Set(['NullModel', 'gpt4_gamed']);
/** Its hidden reasoning is not in the estimated cost. */
const COST_UNKNOWN = /^o1-/;
/** A model with fewer of the prompts is left out, then every prompt that one of the others lacks. */
const COVERAGE_MIN = 0.95;
const CHARS_PER_TOKEN = 4;
/** Where RouteLLM's rows have no answer. */
const ANSWER_TOKENS = 100;

export function hasRoutingData(folder: string): boolean {
  return existsSync(fileOf(folder, 'routing_prompts'));
}

/** The sets of a folder, each with all its models, and with those of known cost where these are only a part. */
export function* readRoutingSets(folder: string, wanted: string): Generator<RoutingSet> {
  const prompts = new Map(
    readLines<PromptRow>(folder, 'routing_prompts').map((row) => [`${row.set}/${row.prompt_id}`, row]),
  );
  const prices = new Map(readLines<PriceRow>(folder, 'routing_models').map((row) => [row.model, row]));
  for (const set of SETS) {
    if (!set.includes(wanted) || !existsSync(fileOf(folder, `routing_outcomes_${set}`))) continue;
    const promptSet = set.startsWith('alpaca') ? 'alpaca_eval' : set;
    const rows = readLines<SharedRow>(folder, `routing_outcomes_${set}`)
      .filter(({ model }) => !CHEATS.has(model))
      .flatMap((row) => {
        const prompt = prompts.get(`${promptSet}/${row.prompt_id}`);
        return prompt === undefined ? [] : [toOutcomeRow(row, prompt, set, prices)];
      });
    const all = completeMatrix(rows);
    const priced = completeMatrix(rows.filter(({ costUsd }) => costUsd !== null));
    const isLarge = LARGE.has(set);
    if (priced !== null && priced.models.length === all?.models.length) {
      yield { name: set, hasCosts: true, isLarge, matrix: priced };
      continue;
    }
    if (all !== null) yield { name: set, hasCosts: false, isLarge, matrix: withoutCosts(all) };
    if (priced !== null && priced.models.length > 1) {
      yield { name: `${set}, priced`, hasCosts: true, isLarge, matrix: priced };
    }
  }
}

function toOutcomeRow(
  row: SharedRow,
  prompt: PromptRow,
  set: string,
  prices: ReadonlyMap<string, PriceRow>,
): OutcomeRow {
  return {
    promptId: row.prompt_id,
    // Without the examples that every prompt of RouterBench's ARC begins with.
    prompt: prompt.core ?? prompt.prompt,
    domain: prompt.sub ?? prompt.domain,
    model: row.model,
    score: row.score,
    costUsd: costOf(row, prompt, set, prices.get(row.model)),
    latencyMs: null,
    isSuccess: true,
  };
}

/** Recorded, else the data's estimate; for RouteLLM, which has hardly any, list price times characters / 4. */
function costOf(row: SharedRow, prompt: PromptRow, set: string, price: PriceRow | undefined): number | null {
  if (COST_UNKNOWN.test(row.model)) return null;
  const known = row.cost_usd ?? row.est_cost_usd ?? null;
  if (set !== 'routellm') return known;
  if (price?.input_usd_per_mtok === undefined || price.output_usd_per_mtok === undefined) return null;
  const inputTokens = prompt.prompt.length / CHARS_PER_TOKEN;
  const outputTokens = row.out_chars === undefined ? ANSWER_TOKENS : row.out_chars / CHARS_PER_TOKEN;
  return (inputTokens * price.input_usd_per_mtok + outputTokens * price.output_usd_per_mtok) / 1e6;
}

function completeMatrix(rows: readonly OutcomeRow[]): OutcomeMatrix | null {
  const promptCount = new Set(rows.map(({ promptId }) => promptId)).size;
  const counts = new Map<string, number>();
  for (const { model } of rows) counts.set(model, (counts.get(model) ?? 0) + 1);
  const kept = new Set(
    [...counts].filter(([, count]) => count >= COVERAGE_MIN * promptCount).map(([model]) => model),
  );
  if (kept.size === 0) return null;
  const builder = new MatrixBuilder();
  rows.forEach((row, at) => {
    if (kept.has(row.model)) builder.add(row, at + 1);
  });
  const matrix = builder.build();
  return { ...matrix, prompts: matrix.prompts.filter(({ outcomes }) => outcomes.size === kept.size) };
}

function withoutCosts(matrix: OutcomeMatrix): OutcomeMatrix {
  return {
    ...matrix,
    prompts: matrix.prompts.map((prompt) => ({
      ...prompt,
      outcomes: new Map(
        [...prompt.outcomes].map(([model, outcome]) => [model, { ...outcome, costUsd: null }]),
      ),
    })),
  };
}

function readLines<Row>(folder: string, name: string): Row[] {
  return gunzipSync(readFileSync(fileOf(folder, name)))
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row);
}

function fileOf(folder: string, name: string): string {
  return join(folder, `${name}.jsonl.gz`);
}
