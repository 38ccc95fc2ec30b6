import type { SignalKind } from '../../core/signal.ts';
import { storedMoment } from '../../core/usage-record.ts';
import type { Database } from '../database.ts';
import { ASKED_FOR, rowsUnderRun } from '../rows-under-run.ts';
import type { EvidenceScope } from './ranking-evidence.ts';

/** Which requests are asked about: of a window under a run, all or those of one use case, one model. */
export interface SignalScope extends EvidenceScope {
  readonly useCase: string | null;
  readonly modelId: string | null;
}

/** One kind of signal beside explicit feedback. */
export interface SignalFiguresRow {
  readonly kind: SignalKind;
  /** Requests with the signal, and those of them in a session. */
  readonly count: number;
  readonly sessionCount: number;
  /**
   * Requests that have both, as sums over pairs. For events x is 1 with the sign and 0 without, of rated requests in
   * sessions; for scores x is the score, of requests with one. y is the explicit rating, 0..1: feedback, else an
   * imported score; beside imported scores feedback alone.
   */
  readonly pairs: {
    readonly count: number;
    readonly xSum: number;
    readonly xSquareSum: number;
    readonly ySum: number;
    readonly ySquareSum: number;
    readonly xySum: number;
    /** Squares of the ratings of requests with the signal. */
    readonly signedSquareSum: number;
  };
}

export interface SignalFigures {
  readonly requestCount: number;
  /** Requests in a session: the only ones in which an event can be seen. */
  readonly sessionCount: number;
  readonly kinds: readonly SignalFiguresRow[];
}

/** Whose value says how well an answer served; the others only happen. */
export const SCORE_KINDS: readonly SignalKind[] = ['feedback', 'imported_score', 'judge_score'];
const KINDS: readonly SignalKind[] = [
  ...SCORE_KINDS,
  'follow_up',
  're_ask',
  'correction',
  'abandonment',
  'thanks',
];

const WINDOW = `started_at >= toStartOfHour({from:DateTime64(3, 'UTC')}) AND started_at < {to:DateTime64(3, 'UTC')}`;
const ASKED_ABOUT = `({useCase:String} = '' OR use_case = {useCase:String}) AND ({modelId:String} = '' OR model_id = {modelId:String})`;

const TOTALS = `
SELECT sum(request_count) AS requestCount, sum(session_count) AS sessionCount
FROM usage_hourly
WHERE run_id = {run:String} AND hour >= toStartOfHour({from:DateTime64(3, 'UTC')}) AND hour < {to:DateTime64(3, 'UTC')}
  AND ${ASKED_FOR} AND ${ASKED_ABOUT}`;

const FIGURES = `
SELECT
  kind,
  countIf(has_sign) AS count,
  countIf(has_sign AND is_in_session) AS sessionCount,
  countIf(is_pair) AS pairCount,
  sumIf(x, is_pair) AS xSum,
  sumIf(x * x, is_pair) AS xSquareSum,
  sumIf(y, is_pair) AS ySum,
  sumIf(y * y, is_pair) AS ySquareSum,
  sumIf(x * y, is_pair) AS xySum,
  sumIf(y * y, is_pair AND has_sign) AS signedSquareSum
FROM (
  SELECT
    kind,
    asked.session_id != '' AS is_in_session,
    has(learnt.kinds, kind) OR (kind = 'abandonment' AND asked.error_code = 'caller_cancelled') AS has_sign,
    has({scores:Array(String)}, kind) AS is_score,
    learnt.values[indexOf(learnt.kinds, kind)] AS score,
    -- Nothing is compared with itself.
    multiIf(
      kind != 'feedback' AND has(learnt.kinds, 'feedback'), learnt.values[indexOf(learnt.kinds, 'feedback')],
      kind != 'imported_score' AND has(learnt.kinds, 'imported_score'),
        learnt.values[indexOf(learnt.kinds, 'imported_score')],
      NULL
    ) AS rating,
    isNotNull(rating) AND if(is_score, has_sign, is_in_session) AS is_pair,
    if(is_score, score, toFloat64(has_sign)) AS x,
    ifNull(rating, 0) AS y
  FROM (
    SELECT * FROM ${rowsUnderRun({
      columns: ['request_id', 'model_id', 'session_id', 'error_code'],
      where: `${WINDOW} AND (
        error_code = 'caller_cancelled' OR request_id IN (SELECT request_id FROM signals WHERE ${WINDOW})
      )`,
    })}
    WHERE ${ASKED_ABOUT}
  ) AS asked
  LEFT JOIN (
    SELECT request_id, groupArray(toString(kind)) AS kinds, groupArray(value) AS values
    FROM signals FINAL
    WHERE ${WINDOW}
    GROUP BY request_id
  ) AS learnt ON learnt.request_id = asked.request_id
  ARRAY JOIN {kinds:Array(String)} AS kind
)
GROUP BY kind`;

type StoredRow = Omit<SignalFiguresRow, 'pairs'> &
  Omit<SignalFiguresRow['pairs'], 'count'> & { readonly pairCount: number };

/**
 * How often was every kind of signal seen, and how did people rate the answers that have it? Every kind is there, the
 * unseen with zeros. Reads the roll-up for the counts of requests, and the signals of the window with their log rows.
 */
export async function readSignalFigures(db: Database, scope: SignalScope): Promise<SignalFigures> {
  const params = {
    run: scope.runId,
    from: storedMoment(scope.from.getTime()),
    to: storedMoment(scope.to.getTime()),
    useCase: scope.useCase ?? '',
    modelId: scope.modelId ?? '',
  };
  const [totals, rows] = await Promise.all([
    db.query<{ requestCount: number; sessionCount: number }>(TOTALS, params),
    db.query<StoredRow>(FIGURES, { ...params, kinds: KINDS, scores: SCORE_KINDS }),
  ]);
  const seen = new Map(rows.map((row) => [row.kind, row]));
  return {
    requestCount: Number(totals[0]?.requestCount ?? 0),
    sessionCount: Number(totals[0]?.sessionCount ?? 0),
    kinds: KINDS.map((kind) => rowOf(kind, seen.get(kind))),
  };
}

function rowOf(kind: SignalKind, row: StoredRow | undefined): SignalFiguresRow {
  const of = (field: Exclude<keyof StoredRow, 'kind'>): number => Number(row?.[field] ?? 0);
  return {
    kind,
    count: of('count'),
    sessionCount: of('sessionCount'),
    pairs: {
      count: of('pairCount'),
      xSum: of('xSum'),
      xSquareSum: of('xSquareSum'),
      ySum: of('ySum'),
      ySquareSum: of('ySquareSum'),
      xySum: of('xySum'),
      signedSquareSum: of('signedSquareSum'),
    },
  };
}
