import type { Database } from '../database.ts';
import { rowsUnderRun } from '../rows-under-run.ts';
import { currentRunId } from './current-run.ts';

/** A distinct prompt with its use case in the current run. */
export interface LabelledPrompt {
  readonly prompt: string;
  readonly useCase: string;
}

const LABELLED_PROMPTS = `
SELECT any(labelled.prompt) AS prompt, argMax(use_case, started_at) AS useCase
FROM ${rowsUnderRun({ columns: ['prompt', 'prompt_hash', 'started_at'], where: "usage_log.prompt != ''" })} AS labelled
GROUP BY prompt_hash
ORDER BY prompt_hash`;

/** Every distinct prompt of the log with the use case of its last request in the current run, in blocks. Scans the log. */
export async function* streamLabelledPrompts(db: Database): AsyncIterable<LabelledPrompt[]> {
  const run = await currentRunId(db);
  yield* db.stream<LabelledPrompt>(LABELLED_PROMPTS, { run });
}
