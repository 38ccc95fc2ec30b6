import type { Database } from '../../store/database.ts';
import { readQualityEvidence } from '../../store/queries/ranking-evidence.ts';
import { readOversizedContexts } from '../../store/queries/waste/contexts.ts';
import { readDuplicates } from '../../store/queries/waste/duplicates.ts';
import { readFailedAttempts } from '../../store/queries/waste/failed-attempts.ts';
import { readFailures } from '../../store/queries/waste/failures.ts';
import { readRetries } from '../../store/queries/waste/retries.ts';
import { readTokenCosts } from '../../store/queries/waste/token-costs.ts';
import type { WasteScope } from '../../store/queries/waste/waste-scope.ts';
import type { InefficiencyEvidence, ModelRecord } from './evidence.ts';
import { findInefficiencies } from './find-inefficiencies.ts';
import type { Inefficiency } from './inefficiency.ts';

/**
 * Inefficiencies of a window under one run's use cases. `rows` are its ranking
 * evidence, `rankings` what was published of it.
 * Several passes over the window's raw rows, one after the other: together they would want their memory at
 * the same time. No text leaves the store.
 */
export async function readInefficiencies(
  db: Database,
  scope: WasteScope,
  rows: readonly ModelRecord[],
  { rankings, policies }: Pick<InefficiencyEvidence, 'rankings' | 'policies'>,
): Promise<Inefficiency[]> {
  if (rows.length === 0) return [];
  const ratings = await readQualityEvidence(db, scope);
  const contexts = await readOversizedContexts(db, scope);
  return findInefficiencies({
    scope,
    policies,
    rows,
    ratings,
    rankings,
    contexts,
    tokenCosts: contexts.length === 0 ? [] : await readTokenCosts(db, scope),
    retries: await readRetries(db, scope),
    duplicates: await readDuplicates(db, scope),
    failures: await readFailures(db, scope),
    attempts: await readFailedAttempts(db, scope),
  });
}
