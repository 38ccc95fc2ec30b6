import type { UseCase } from '../../core/use-case.ts';
import { OTHER_USE_CASE } from '../../core/use-case.ts';
import type { Database } from '../database.ts';
import { ASKED_FOR } from '../rows-under-run.ts';

/** Named as the operator renamed it last, else by its slug. An undone edit does not count. */
const RULED_USE_CASES = `
SELECT
  seen.use_case AS slug,
  if(named.name = '', initcapUTF8(replaceAll(seen.use_case, '_', ' ')), named.name) AS name,
  seen.request_count AS sampleCount,
  seen.prompt_count AS distinctPromptCount,
  seen.typical_length AS typicalLength
FROM (
  SELECT
    toString(usage_hourly.use_case) AS use_case,
    sum(usage_hourly.request_count) AS request_count,
    uniqMerge(usage_hourly.prompts) AS prompt_count,
    sum(usage_hourly.prompt_length_sum) / request_count AS typical_length
  FROM usage_hourly
  WHERE run_id = {runId:String} AND use_case NOT IN ({known:Array(String)}) AND ${ASKED_FOR}
  GROUP BY use_case
  HAVING request_count > 0
) AS seen
LEFT JOIN (
  SELECT slug, argMax(use_case_edits.name, (at, edit_id)) AS name
  FROM use_case_edits
  WHERE kind = 'rename' AND to_slug = '' AND edit_id NOT IN (SELECT undoes FROM use_case_edits WHERE undoes != '')
  GROUP BY slug
) AS named ON named.slug = seen.use_case
ORDER BY sampleCount DESC, slug`;

/**
 * Which use cases have requests under a run without having been found by it? Those that hand-written rules gave; they
 * have no keywords and no examples. Reads the hourly roll-up of the run. Most requests first.
 *
 * @param known  use cases that the run found
 */
export async function readRuledUseCases(
  db: Database,
  runId: string,
  known: readonly UseCase[],
): Promise<UseCase[]> {
  const rows = await db.query<
    Pick<UseCase, 'slug' | 'name' | 'sampleCount' | 'distinctPromptCount' | 'typicalLength'>
  >(RULED_USE_CASES, { runId, known: [OTHER_USE_CASE, ...known.map(({ slug }) => slug)] });
  return rows.map((row) => ({
    ...row,
    sampleCount: Number(row.sampleCount),
    distinctPromptCount: Number(row.distinctPromptCount),
    keywords: [],
    examplePrompts: [],
    isByRule: true,
  }));
}

const RULE_OF_USE_CASE = `
SELECT argMax(use_case_rule, started_at) AS ruleName
FROM usage_log
WHERE use_case_rule != '' AND use_case = {slug:String}
HAVING count() > 0`;

/** Name of the rule that gave a use case to a request last; null where none ever did. Scans two columns of the log. */
export async function readRuleOfUseCase(db: Database, slug: string): Promise<string | null> {
  const [row] = await db.query<{ ruleName: string }>(RULE_OF_USE_CASE, { slug });
  return row?.ruleName ?? null;
}
