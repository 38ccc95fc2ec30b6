import type { Database } from '../database.ts';
import { ASKED_FOR } from '../rows-under-run.ts';

/** One distinct prompt with all that is known of its askers. */
export interface DistinctPrompt {
  readonly promptHash: string;
  readonly prompt: string;
  readonly context: string;
  readonly requestCount: number;
  /** Named users who asked it; 0 when nobody gave a name. */
  readonly userCount: number;
}

export interface PromptWindow {
  readonly from: Date;
  readonly to: Date;
  readonly signal?: AbortSignal | undefined;
}

export interface PromptTotals {
  readonly requestCount: number;
  readonly distinctCount: number;
  readonly userCount: number;
}

/** Rows that a text decides: what a hand-written rule gave its use case makes none of its own beside it. */
export const CLASSIFIED_BY_TEXT = `usage_log.prompt != '' AND use_case_rule = '' AND ${ASKED_FOR}`;

const TOTALS_SQL = `
SELECT
  count() AS requestCount,
  uniqExact(prompt_hash) AS distinctCount,
  uniqExactIf(user_id, user_id != '') AS userCount
FROM usage_log
WHERE started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')} AND ${CLASSIFIED_BY_TEXT}`;

/** How many requests with a text lie in the window, and how many texts and users? Reads the log. */
export async function countPrompts(db: Database, { from, to, signal }: PromptWindow): Promise<PromptTotals> {
  const [row] = await db.query<Record<keyof PromptTotals, unknown>>(TOTALS_SQL, { from, to }, { signal });
  return {
    requestCount: Number(row?.requestCount ?? 0),
    distinctCount: Number(row?.distinctCount ?? 0),
    userCount: Number(row?.userCount ?? 0),
  };
}

/**
 * Texts are clipped in the engine: a prompt may be twenty megabytes of pasted log, and only its head and tail
 * are ever read. The hash decides who is in the sample, so it is even over prompts and the same each time.
 */
const SAMPLE_SQL = `
SELECT
  prompt_hash AS promptHash,
  any(if(
    length(usage_log.prompt) > 8000,
    concat(substringUTF8(usage_log.prompt, 1, 3000), '\\n', substringUTF8(usage_log.prompt, -3000)),
    usage_log.prompt
  )) AS prompt,
  any(substringUTF8(usage_log.context, 1, 8000)) AS context,
  count() AS requestCount,
  uniqIf(user_id, user_id != '') AS userCount
FROM usage_log
WHERE started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')} AND ${CLASSIFIED_BY_TEXT}
  AND prompt_hash IN (
    SELECT prompt_hash
    FROM usage_log
    WHERE started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')} AND ${CLASSIFIED_BY_TEXT}
    GROUP BY prompt_hash
    ORDER BY cityHash64(prompt_hash)
    LIMIT {limit:UInt32}
  )
GROUP BY prompt_hash
ORDER BY cityHash64(prompt_hash)`;

/** Which distinct prompts were asked in the window? At most `limit`, an even sample when there are more. */
export async function readDistinctPrompts(
  db: Database,
  { from, to, signal, limit }: PromptWindow & { readonly limit: number },
): Promise<DistinctPrompt[]> {
  const rows = await db.query<DistinctPrompt>(SAMPLE_SQL, { from, to, limit }, { signal });
  return rows.map(toDistinctPrompt);
}

const PART_SQL = `
SELECT
  prompt_hash AS promptHash,
  any(if(
    length(usage_log.prompt) > 8000,
    concat(substringUTF8(usage_log.prompt, 1, 3000), '\\n', substringUTF8(usage_log.prompt, -3000)),
    usage_log.prompt
  )) AS prompt,
  any(substringUTF8(usage_log.context, 1, 8000)) AS context,
  count() AS requestCount,
  uniqIf(user_id, user_id != '') AS userCount
FROM usage_log
WHERE started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')} AND ${CLASSIFIED_BY_TEXT}
  AND cityHash64(prompt_hash) % {parts:UInt32} = {part:UInt32}
GROUP BY prompt_hash`;

/** Distinct prompts of one answer at most, roughly: parts are cut so that a part fits into memory with ease. */
const PART_SIZE = 20_000;

/** All distinct prompts of the window, a part at a time; every prompt is in exactly one part. */
export async function* readPromptParts(
  db: Database,
  { from, to, signal, distinctCount }: PromptWindow & { readonly distinctCount: number },
): AsyncGenerator<DistinctPrompt[]> {
  const parts = Math.max(1, Math.ceil(distinctCount / PART_SIZE));
  for (let part = 0; part < parts; part++) {
    const rows = await db.query<DistinctPrompt>(PART_SQL, { from, to, parts, part }, { signal });
    yield rows.map(toDistinctPrompt);
  }
}

/** Whole numbers of 64 bits may come as strings. */
function toDistinctPrompt(row: DistinctPrompt): DistinctPrompt {
  return { ...row, requestCount: Number(row.requestCount), userCount: Number(row.userCount) };
}
