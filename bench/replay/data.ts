import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** A prompt whose outcome is known for every model. */
export interface KnownPrompt {
  readonly id: string;
  readonly domain: string;
  readonly prompt: string;
  /** Outcome 0..1 by the data set's name of the model. */
  readonly outcomes: ReadonlyMap<string, number>;
}

export class DataMissing extends Error {}

const FILES = ['routing_prompts', 'routing_outcomes_routerdc', 'latency_llmperf2023'] as const;

/** Prompts of the RouterDC set with all outcomes. @throws {DataMissing} when a file is not there */
export function readPrompts(dir: string): KnownPrompt[] {
  const missing = FILES.map(fileOf(dir)).filter((file) => !existsSync(file));
  if (missing.length > 0)
    throw new DataMissing(`The replay needs ${missing.join(', ')}; give their folder by --data.`);
  const outcomes = new Map<string, Map<string, number>>();
  for (const row of lines<{ prompt_id: string; model: string; score: number }>(
    dir,
    'routing_outcomes_routerdc',
  )) {
    const known = outcomes.get(row.prompt_id) ?? new Map<string, number>();
    outcomes.set(row.prompt_id, known.set(row.model, row.score));
  }
  return lines<{ set: string; prompt_id: string; domain: string; prompt: string }>(dir, 'routing_prompts')
    .filter((row) => row.set === 'routerdc' && outcomes.has(row.prompt_id))
    .map((row) => ({
      id: row.prompt_id,
      domain: row.domain,
      prompt: row.prompt,
      outcomes: outcomes.get(row.prompt_id) ?? new Map(),
    }));
}

/** Measured latencies of successful calls, in milliseconds, by "provider/model". */
export function readLatencies(dir: string): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>();
  for (const row of lines<{ provider: string; model: string; error_code: unknown; latency_ms: number }>(
    dir,
    'latency_llmperf2023',
  )) {
    // Calls that failed at once carry a latency of 0.
    if (row.error_code !== null || !(row.latency_ms > 0)) continue;
    const key = `${row.provider}/${row.model}`;
    found.set(key, [...(found.get(key) ?? []), row.latency_ms]);
  }
  return found;
}

function fileOf(dir: string): (name: string) => string {
  return (name) => join(dir, `${name}.jsonl.gz`);
}

function lines<Row>(dir: string, name: (typeof FILES)[number]): Row[] {
  return gunzipSync(readFileSync(fileOf(dir)(name)))
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row);
}
