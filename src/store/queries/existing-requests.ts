import { momentOfRequestId } from '../../core/signal.ts';
import { storedMoment } from '../../core/usage-record.ts';
import type { Database } from '../database.ts';

interface Row {
  readonly id: string;
}

/** Which of these requests the log has. Reads usage_log, only around the moments that the ids carry. */
export async function existingRequestIds(
  db: Database,
  requestIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const moments = requestIds.map(momentOfRequestId).filter((ms) => ms !== null);
  if (moments.length === 0) return new Set();
  const rows = await db.query<Row>(
    `SELECT toString(request_id) AS id
     FROM usage_log
     WHERE started_at >= {from:DateTime64(3, 'UTC')} AND started_at <= {to:DateTime64(3, 'UTC')}
       AND request_id IN (SELECT arrayJoin({ids:Array(UUID)}))`,
    {
      from: storedMoment(moments.reduce((a, b) => Math.min(a, b))),
      to: storedMoment(moments.reduce((a, b) => Math.max(a, b))),
      ids: requestIds,
    },
  );
  return new Set(rows.map((row) => row.id));
}
