import type { Database } from '../database.ts';
import { isoOfStored } from './usage-window.ts';

/** How a client names a request without our id: the provider's id of the answer, or its own id. */
export type ReferenceKind = 'response_id' | 'external_id';

/** Feedback whose request is not in the log yet. */
export interface UnresolvedFeedback {
  readonly referenceKind: ReferenceKind;
  readonly reference: string;
  /** Quality 0..1. */
  readonly value: number;
  readonly comment: string | null;
  /** ISO 8601. */
  readonly at: string;
}

const UNRESOLVED_MAX = 10_000;

const BY_RESPONSE_ID = `
SELECT response_id AS reference, toString(argMax(request_id, started_at)) AS requestId
FROM usage_log
WHERE response_id IN ({references:Array(String)}) AND response_id != ''
GROUP BY reference`;

const BY_EXTERNAL_ID = `
SELECT external_id AS reference, toString(argMax(request_id, started_at)) AS requestId
FROM usage_log
WHERE external_id IN ({references:Array(String)}) AND external_id != ''
GROUP BY reference`;

const UNRESOLVED = `
SELECT
  reference_kind AS referenceKind,
  reference,
  value,
  nullIf(comment, '') AS comment,
  toString(unresolved_feedback.at) AS at
FROM unresolved_feedback FINAL
WHERE resolved_at IS NULL
ORDER BY unresolved_feedback.at, reference
LIMIT {limit:UInt32}`;

/**
 * Which request does a reference mean (the newest, where several carry it)? Reads the bloom filters of
 * `usage_log`. References that the log does not have are not in the map.
 */
export async function requestIdsByReference(
  db: Database,
  kind: ReferenceKind,
  references: readonly string[],
): Promise<Map<string, string>> {
  if (references.length === 0) return new Map();
  const sql = kind === 'response_id' ? BY_RESPONSE_ID : BY_EXTERNAL_ID;
  const rows = await db.query<{ reference: string; requestId: string }>(sql, { references });
  return new Map(rows.map((row) => [row.reference, row.requestId]));
}

/** Which feedback still waits for its request? Oldest first, at most 10,000. Reads `unresolved_feedback`. */
export async function unresolvedFeedback(db: Database): Promise<UnresolvedFeedback[]> {
  const rows = await db.query<UnresolvedFeedback>(UNRESOLVED, { limit: UNRESOLVED_MAX });
  return rows.map((row) => ({ ...row, at: isoOfStored(row.at) }));
}

/** Notes that the feedback has found its request. Newer feedback on the same reference stays unresolved. */
export async function markFeedbackResolved(
  db: Database,
  feedback: readonly UnresolvedFeedback[],
  resolvedAt: Date,
): Promise<void> {
  await db.insertRows(
    'unresolved_feedback',
    feedback.map((row) => ({
      reference_kind: row.referenceKind,
      reference: row.reference,
      value: row.value,
      comment: row.comment ?? '',
      // The same version as the row that it replaces: the later insert of two equal ones counts.
      at: new Date(row.at),
      resolved_at: resolvedAt,
    })),
  );
}
