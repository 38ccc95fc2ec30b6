import { storedMoment } from '../../core/usage-record.ts';
import type { Database } from '../database.ts';

/** A use case as a run found it, before operator edits. */
export interface FoundUseCase {
  readonly slug: string;
  /** The program's own name for it. */
  readonly name: string;
  /** A model's two sentences; null where words made the name. */
  readonly description: string | null;
  /** Distinct prompts of the run's sample. */
  readonly promptCount: number;
  /** A prompt less similar to the centre is "other"; cosine. */
  readonly similarityMin: number;
  /** Unit length; empty where it has no centre. */
  readonly centroid: Float32Array;
}

export async function writeFoundUseCases(
  db: Database,
  runId: string,
  useCases: readonly FoundUseCase[],
  createdAtMs: number,
): Promise<void> {
  await db.insertRows(
    'found_use_cases',
    useCases.map((useCase) => ({
      run_id: runId,
      slug: useCase.slug,
      name: useCase.name,
      description: useCase.description ?? '',
      prompt_count: useCase.promptCount,
      similarity_min: useCase.similarityMin,
      centroid: Array.from(useCase.centroid),
      created_at: storedMoment(createdAtMs),
    })),
  );
}

/** A run from before the two layers were kept apart was never edited: what it shows is what it found. */
const FOUND_SQL = `
SELECT slug, name, nullIf(description, '') AS description, promptCount, similarityMin, centroid
FROM (
  SELECT slug, name, description, prompt_count AS promptCount, similarity_min AS similarityMin, centroid
  FROM found_use_cases FINAL
  WHERE run_id = {runId:String}
  UNION ALL
  SELECT slug, name, '' AS description, distinct_prompt_count AS promptCount, toFloat32(0) AS similarityMin, centroid
  FROM use_cases FINAL
  WHERE run_id = {runId:String} AND slug != 'other'
    AND (SELECT count() FROM found_use_cases WHERE run_id = {runId:String}) = 0
)
ORDER BY promptCount DESC, slug`;

/** What did a run find, before operator edits? Most prompts first; "other" is not among them. */
export async function readFoundUseCases(db: Database, runId: string): Promise<FoundUseCase[]> {
  const rows = await db.query<Omit<FoundUseCase, 'centroid'> & { centroid: readonly number[] }>(FOUND_SQL, {
    runId,
  });
  return rows.map((row) => ({
    ...row,
    promptCount: Number(row.promptCount),
    centroid: Float32Array.from(row.centroid),
  }));
}
