import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { createRandom, type Random } from '../../src/stats/random.ts';

/** What a model did on one prompt. */
export interface Outcome {
  /** 0..1 by the data set. */
  readonly score: number;
  readonly latencyMs: number;
  readonly costUsd: number;
}

/** A matrix of prompts and models whose outcomes are known: the truth of a world. */
export interface OutcomeSet {
  readonly name: string;
  readonly useCases: readonly string[];
  /** Theme of each use case, for the level between use case and model. */
  readonly themes: readonly string[];
  readonly modelIds: readonly string[];
  /** By use case, then by model. */
  readonly outcomes: readonly (readonly (readonly Outcome[])[])[];
  /** Models with a cost on every row; the others are taken for local and free. */
  readonly pricedCount: number;
}

/** By use case, as rankings take them. */
export function themesOfSet({ useCases, themes }: OutcomeSet): ReadonlyMap<string, string> {
  return new Map(useCases.map((useCase, at) => [useCase, themes[at] ?? '']));
}

export interface ReadOptions {
  readonly dir: string;
  readonly seed: number;
  /** Models of a set; drawn by seed where it has more. */
  readonly modelCountMax: number;
}

interface OutcomeRow {
  readonly domain: string;
  readonly prompt_id: string;
  readonly model: string;
  readonly score: number;
  readonly out_chars?: number;
  readonly cost_usd?: number;
  readonly est_cost_usd?: number;
}

interface Latency {
  readonly firstTokenMs: number;
  readonly perTokenMs: number;
}

const SETS = [
  'routerdc',
  'zeroeval',
  'routerbench_part',
  'routellm',
  'alpaca_eval2',
  'alpaca_eval1',
] as const;
/** Fewer prompts make a cell whose truth is a handful of coins. */
const CELL_PROMPTS_MIN = 45;
const CHARS_PER_TOKEN = 4;
/** Where a set has no answers, their length: LLMPerf asked for 150 tokens. */
const ANSWER_TOKENS = 150;
/** Spread of answer lengths among use cases (sigma of the logarithm) where the set has none. */
const LENGTH_SPREAD = 0.4;

/** An endpoint has 150 measured calls; without some spread about them, a bin holds one of them and not a stretch. */
const LATENCY_SPREAD = 0.15;

/** RouterDC's nine domains in the groups that a reader would make. */
const THEMES: Readonly<Record<string, string>> = {
  mmlu: 'exams',
  arc_easy: 'exams',
  arc_challenge: 'exams',
  chinese_exam_cmmlu: 'chinese',
  chinese_exam_ceval: 'chinese',
  gsm8k: 'math',
  math_prealgebra: 'math',
  grade_school_math: 'math',
  competition_math: 'math',
  mbpp: 'code',
  javascript_code: 'code',
  code_output_prediction: 'code',
};

/** True where `dir` has the outcome sets. */
export function hasData(dir: string): boolean {
  return (
    existsSync(fileOf(dir, 'routing_outcomes_routerdc')) && existsSync(fileOf(dir, 'latency_llmperf2023'))
  );
}

export function hasFile(dir: string, name: string): boolean {
  return existsSync(fileOf(dir, name));
}

/** Every outcome set that the folder has. */
export function readOutcomeSets(options: ReadOptions): OutcomeSet[] {
  return SETS.filter((name) => hasFile(options.dir, `routing_outcomes_${name}`)).map((name) =>
    readOutcomeSet(name, options),
  );
}

/** @param only  models to keep whatever the number; left out: those with all use cases, at most `modelCountMax` */
export function readOutcomeSet(name: string, options: ReadOptions, only?: 'all'): OutcomeSet {
  const { dir, seed, modelCountMax } = options;
  const random = createRandom(seed);
  const useCaseOf = useCasesOf(dir, name);
  const cells = new Map<string, Map<string, OutcomeRow[]>>();
  for (const row of readRows<OutcomeRow>(dir, `routing_outcomes_${name}`)) {
    const useCase = useCaseOf(row);
    const models = cells.get(useCase) ?? new Map<string, OutcomeRow[]>();
    const rows = models.get(row.model) ?? [];
    rows.push(row);
    models.set(row.model, rows);
    cells.set(useCase, models);
  }
  const useCases = [...cells.keys()].filter((useCase) => sizeOf(cells, useCase) >= CELL_PROMPTS_MIN).sort();
  const full = modelsOf(cells, useCases);
  if (only === undefined) random.shuffle(full);
  const modelIds = (only === undefined ? full.slice(0, modelCountMax) : full).sort();
  const latencies = readLatencies(dir);
  const speeds = modelIds.map(() => latencies[random.int(latencies.length)] ?? []);
  const lengths = useCases.map(() => Math.exp(LENGTH_SPREAD * random.normal()));
  const isPriced = modelIds.map((model) =>
    useCases.every((useCase) => (cells.get(useCase)?.get(model) ?? []).every((row) => costOf(row) !== null)),
  );
  return {
    name,
    useCases,
    themes: useCases.map((useCase) => THEMES[useCase] ?? 'others'),
    modelIds: modelIds.map((model) => `${name}:${model}`),
    outcomes: useCases.map((useCase, at) =>
      modelIds.map((model, of) =>
        (cells.get(useCase)?.get(model) ?? []).map((row) =>
          outcomeOf(row, {
            speeds: speeds[of] ?? [],
            length: lengths[at] ?? 1,
            isPriced: isPriced[of] ?? false,
            random,
          }),
        ),
      ),
    ),
    pricedCount: isPriced.filter(Boolean).length,
  };
}

/** A world of our own for whoever has no data: invented rates, latencies and prices. */
export function inventedSet(seed: number): OutcomeSet {
  const random = createRandom(seed);
  const models = Array.from({ length: 6 }, (_, at) => `invented:model-${at}`);
  const useCases = Array.from({ length: 5 }, (_, at) => `invented-${at}`);
  const skills = models.map(() => random.normal());
  const prices = models.map((_, at) => (at < 2 ? 0 : 0.0005 * 2 ** at));
  return {
    name: 'invented',
    useCases,
    themes: useCases.map((_, at) => (at < 3 ? 'one' : 'other')),
    modelIds: models,
    outcomes: useCases.map(() => {
      const ease = 1.2 + 0.6 * random.normal();
      return models.map((_, at) => {
        const rate = 1 / (1 + Math.exp(-(ease + 0.5 * (skills[at] ?? 0) + 0.4 * random.normal())));
        const medianMs = 1_500 * Math.exp(0.5 * random.normal());
        return Array.from({ length: 400 }, () => ({
          score: random.next() < rate ? 1 : 0,
          latencyMs: medianMs * Math.exp(0.5 * random.normal()),
          costUsd: (prices[at] ?? 0) * Math.exp(0.6 * random.normal()),
        }));
      });
    }),
    pricedCount: models.length - 2,
  };
}

/** Rows of a gzip file of JSON lines. */
export function readRows<Row>(dir: string, name: string): Row[] {
  return gunzipSync(readFileSync(fileOf(dir, name)))
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row);
}

/** MMLU's subjects are use cases of RouteLLM's set; elsewhere the domains are. */
function useCasesOf(dir: string, name: string): (row: OutcomeRow) => string {
  if (name !== 'routellm' || !hasFile(dir, 'routing_prompts')) return (row) => row.domain;
  const subjects = new Map(
    readRows<{ set: string; prompt_id: string; sub?: string }>(dir, 'routing_prompts')
      .filter((prompt) => prompt.set === name && prompt.sub !== undefined)
      .map((prompt) => [prompt.prompt_id, prompt.sub ?? '']),
  );
  return (row) => subjects.get(row.prompt_id) ?? row.domain;
}

function sizeOf(
  cells: ReadonlyMap<string, ReadonlyMap<string, readonly OutcomeRow[]>>,
  useCase: string,
): number {
  return Math.max(0, ...[...(cells.get(useCase)?.values() ?? [])].map((rows) => rows.length));
}

/** Models that have (nearly) all prompts of every use case. */
function modelsOf(
  cells: ReadonlyMap<string, ReadonlyMap<string, readonly OutcomeRow[]>>,
  useCases: readonly string[],
): string[] {
  const names = new Set([...cells.values()].flatMap((models) => [...models.keys()]));
  return [...names]
    .filter((model) =>
      useCases.every(
        (useCase) => (cells.get(useCase)?.get(model)?.length ?? 0) >= 0.95 * sizeOf(cells, useCase),
      ),
    )
    .sort();
}

function outcomeOf(
  row: OutcomeRow,
  {
    speeds,
    length,
    isPriced,
    random,
  }: {
    readonly speeds: readonly Latency[];
    readonly length: number;
    readonly isPriced: boolean;
    readonly random: Random;
  },
): Outcome {
  const { firstTokenMs, perTokenMs } = speeds[random.int(speeds.length)] ?? {
    firstTokenMs: 500,
    perTokenMs: 20,
  };
  const tokens = row.out_chars === undefined ? ANSWER_TOKENS * length : row.out_chars / CHARS_PER_TOKEN;
  const latencyMs = (firstTokenMs + perTokenMs * tokens) * Math.exp(LATENCY_SPREAD * random.normal());
  return { score: row.score, latencyMs, costUsd: isPriced ? (costOf(row) ?? 0) : 0 };
}

function costOf(row: OutcomeRow): number | null {
  return row.cost_usd ?? row.est_cost_usd ?? null;
}

/** Latencies of successful calls by endpoint of LLMPerf. */
function readLatencies(dir: string): Latency[][] {
  const found = new Map<string, Latency[]>();
  for (const row of readRows<{
    provider: string;
    model: string;
    error_code: unknown;
    ttft_ms: number;
    latency_ms: number;
    output_tokens: number;
  }>(dir, 'latency_llmperf2023')) {
    if (row.error_code !== null || !(row.latency_ms > 0)) continue;
    const key = `${row.provider}/${row.model}`;
    const perTokenMs = Math.max(0, row.latency_ms - row.ttft_ms) / Math.max(1, row.output_tokens);
    const rows = found.get(key) ?? [];
    rows.push({ firstTokenMs: row.ttft_ms, perTokenMs });
    found.set(key, rows);
  }
  return [...found.values()];
}

function fileOf(dir: string, name: string): string {
  return join(dir, `${name}.jsonl.gz`);
}
