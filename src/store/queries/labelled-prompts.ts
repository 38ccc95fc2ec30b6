import { OTHER_USE_CASE } from '../../core/use-case.ts';
import type { Database } from '../database.ts';
import { currentRunId } from './current-run.ts';

/** A distinct prompt with its use case in the current run. */
export interface LabelledPrompt {
  readonly prompt: string;
  readonly useCase: string;
}

const LABELLED_PROMPTS = `
SELECT
  any(usage.prompt) AS prompt,
  multiIf(
    any(assigned.use_case) != '', any(assigned.use_case),
    maxIf(usage.use_case, usage.run_id = {run:String}) != '', maxIf(usage.use_case, usage.run_id = {run:String}),
    {other:String}
  ) AS useCase
FROM usage_log AS usage
LEFT JOIN (
  SELECT prompt_hash, use_case FROM assignments FINAL WHERE run_id = {run:String}
) AS assigned ON assigned.prompt_hash = usage.prompt_hash
WHERE usage.prompt != ''
GROUP BY usage.prompt_hash
ORDER BY usage.prompt_hash`;

/**
 * Every distinct prompt of the log with its use case, in blocks: the one the current run assigned, else the
 * one that the run's own classifier gave on the way in, else "other". Scans the log.
 */
export async function* streamLabelledPrompts(db: Database): AsyncIterable<LabelledPrompt[]> {
  const run = await currentRunId(db);
  yield* db.stream<LabelledPrompt>(LABELLED_PROMPTS, { run, other: OTHER_USE_CASE });
}
