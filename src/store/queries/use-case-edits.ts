import { storedMoment } from '../../core/usage-record.ts';
import type { Database } from '../database.ts';

export type UseCaseEditKind = 'rename' | 'merge' | 'split' | 'pin' | 'unpin' | 'undo';

/** One act of the operator on a use case; never changed once written. */
export interface UseCaseEdit {
  /** UUID version 7: sorts by time. */
  readonly editId: string;
  readonly atMs: number;
  readonly kind: UseCaseEditKind;
  /** The use case as it was called then; '' for an undo. */
  readonly slug: string;
  /** Rename: the new slug, null when only the name changed. Merge: what it goes into. Split: the new use case. */
  readonly toSlug: string | null;
  /** Rename and split: the name for people; null when it did not change. */
  readonly name: string | null;
  /** Split: regular expression of the prompts that go to the new use case. */
  readonly pattern: string | null;
  /** Undo: the edit that no longer holds. */
  readonly undoes: string | null;
  /** Who did it, e.g. "api"; never a key. */
  readonly changedBy: string;
}

const EDITS_SQL = `
SELECT
  edit_id AS editId,
  toUnixTimestamp64Milli(at) AS atMs,
  kind,
  slug,
  to_slug AS toSlug,
  name,
  pattern,
  undoes,
  changed_by AS changedBy
FROM use_case_edits
ORDER BY at, edit_id`;

/** What has the operator done to use cases, oldest first? Reads all of `use_case_edits`: a few rows a day at most. */
export async function readUseCaseEdits(db: Database): Promise<UseCaseEdit[]> {
  const rows = await db.query<UseCaseEdit>(EDITS_SQL);
  return rows.map((row) => ({
    ...row,
    atMs: Number(row.atMs),
    toSlug: row.toSlug === '' ? null : row.toSlug,
    name: row.name === '' ? null : row.name,
    pattern: row.pattern === '' ? null : row.pattern,
    undoes: row.undoes === '' ? null : row.undoes,
  }));
}

export async function appendUseCaseEdit(db: Database, edit: UseCaseEdit): Promise<void> {
  await db.insertRows('use_case_edits', [
    {
      edit_id: edit.editId,
      at: storedMoment(edit.atMs),
      kind: edit.kind,
      slug: edit.slug,
      to_slug: edit.toSlug ?? '',
      name: edit.name ?? '',
      pattern: edit.pattern ?? '',
      undoes: edit.undoes ?? '',
      changed_by: edit.changedBy,
    },
  ]);
}
