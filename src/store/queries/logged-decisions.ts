import { storedMoment } from '../../core/usage-record.ts';
import type { Database } from '../database.ts';
import { EXPLICIT_RATING } from '../explicit-rating.ts';
import { rowsUnderRun } from '../rows-under-run.ts';
import type { EvidenceScope } from './ranking-evidence.ts';

/** Decisions of `auto` that had the same to choose from and chose alike. */
export interface DecisionGroup {
  /** Under the run asked for. */
  readonly useCase: string;
  /** The model that was chosen; another may have answered in its place. */
  readonly modelId: string;
  /** Models that could have been chosen, as far as they were logged: see {@link readLoggedDecisions}. */
  readonly ableIds: readonly string[];
  readonly decisions: readonly LoggedDecision[];
}

export interface LoggedDecision {
  /** Probability with which the model was chosen, (0, 1]. */
  readonly propensity: number;
  /** 0 or 1; null where nobody's fault counts against the model. */
  readonly success: number | null;
  readonly costUsd: number | null;
  /** Of successful requests. */
  readonly latencyMs: number | null;
  /** Explicit rating, 0..1; feedback wins over an imported score. */
  readonly quality: number | null;
  /** Numbers that are equal for equal users, and likewise for sessions; 0: nobody said. */
  readonly userKey: number;
  readonly sessionKey: number;
}

export interface LoggedDecisions {
  readonly groups: readonly DecisionGroup[];
  /** Decisions of `auto` in the window. */
  readonly autoCount: number;
  /** Of those that were read: turns of a session that goes on, which stay with its model. They are in no group. */
  readonly followingCount: number;
  /** All decisions but those of `auto`: named models, rules, sessions. */
  readonly otherCount: number;
  /** One of so many was read. */
  readonly sliceCount: number;
}

/** Decisions read at most: some hundred megabytes and seconds. More narrow no interval that anybody reads. */
const DECISIONS_MAX = 200_000;
/** Names that a decision logs in the order of fallback, the chosen model among them. */
const LISTED_MAX = 10;

const WINDOW = `started_at >= {from:DateTime64(3, 'UTC')} AND started_at < {to:DateTime64(3, 'UTC')}`;
const SLICE = `${WINDOW} AND cityHash64(request_id) % {sliceCount:UInt32} = 0`;

/** Decisions in which chance, or nothing but the ranking, chose. */
const IS_AUTO = `(policy != '' AND cause IN ('ranking', 'exploration', 'ab_test', 'default', 'prior') AND propensity > 0)`;

const COUNT = `
SELECT countIf(${IS_AUTO}) AS autoCount, count() - autoCount AS otherCount
FROM decisions
WHERE ${WINDOW}`;

const LOGGED = rowsUnderRun({
  columns: ['request_id', 'success', 'fault', 'cost_usd', 'latency_ms', 'user_id', 'session_id'],
  where: SLICE,
  assignedWhere: SLICE,
});

/** A session is drawn for when it begins; with a certain choice later on, it only goes on. */
const FOLLOWS = `(decided.propensity >= 1 AND logged.session_id != '' AND decided.started_at > sessions.began_at)`;

const DECISIONS = `
WITH ${FOLLOWS} AS is_following
SELECT
  logged.use_case AS useCase,
  decided.model_id AS modelId,
  decided.able AS ableIds,
  countIf(is_following) AS followingCount,
  groupArrayIf((
    decided.propensity,
    multiIf(logged.success, 1, logged.fault IN ('provider', 'model'), 0, NULL),
    logged.cost_usd,
    if(logged.success, logged.latency_ms, NULL),
    learnt.explicit,
    if(logged.user_id = '', 0, toUInt32(cityHash64(logged.user_id))),
    if(logged.session_id = '', 0, toUInt32(cityHash64(logged.session_id)))
  ), NOT is_following) AS decisions
FROM (
  SELECT
    request_id,
    started_at,
    model_id,
    propensity,
    arrayDistinct(arrayConcat([model_id], fallback_model_ids)) AS listed,
    arraySort(if(
      length(listed) < {listedMax:UInt32},
      listed,
      arrayDistinct(arrayConcat(
        listed,
        arrayMap(row -> JSONExtractString(row, 'modelId'), JSONExtractArrayRaw(candidates))
      ))
    )) AS able
  FROM decisions
  WHERE ${SLICE} AND ${IS_AUTO}
) AS decided
INNER JOIN ${LOGGED} AS logged ON logged.request_id = decided.request_id
LEFT JOIN (
  SELECT
    request_id,
    ${EXPLICIT_RATING} AS explicit
  FROM signals FINAL
  WHERE ${SLICE} AND kind IN ('feedback', 'imported_score')
  GROUP BY request_id
) AS learnt ON learnt.request_id = decided.request_id
LEFT JOIN (
  SELECT session_id, min(started_at) AS began_at
  FROM usage_log
  WHERE ${WINDOW} AND session_id != ''
  GROUP BY session_id
) AS sessions ON sessions.session_id = logged.session_id
GROUP BY useCase, modelId, ableIds
ORDER BY useCase, modelId, ableIds`;

type StoredGroup = Omit<DecisionGroup, 'decisions'> & {
  /** In the order of {@link LoggedDecision}. */
  readonly decisions: readonly (readonly (number | null)[])[];
  readonly followingCount: unknown;
};

/**
 * Which choices did `auto` make, with what probability, and what came of them? Reads `decisions`, the log rows of the
 * same requests under the run, and explicit signals. Of busy windows a slice, the same each time.
 *
 * A decision logs the first ten models in the order of fallback. Up to ten models these are all that could have been
 * chosen; with more, every model with a row of its own is taken for one, also where the request needed what it lacks.
 */
export async function readLoggedDecisions(
  db: Database,
  scope: EvidenceScope,
  decisionsMax: number = DECISIONS_MAX,
): Promise<LoggedDecisions> {
  const window = { from: storedMoment(scope.from.getTime()), to: storedMoment(scope.to.getTime()) };
  const [counts] = await db.query<{ autoCount: unknown; otherCount: unknown }>(COUNT, window);
  const autoCount = Number(counts?.autoCount ?? 0);
  const otherCount = Number(counts?.otherCount ?? 0);
  const sliceCount = Math.max(1, Math.ceil(autoCount / decisionsMax));
  const rows = await db.query<StoredGroup>(DECISIONS, {
    ...window,
    run: scope.runId,
    sliceCount,
    listedMax: LISTED_MAX,
  });
  return {
    groups: rows
      .filter(({ decisions }) => decisions.length > 0)
      .map(({ useCase, modelId, ableIds, decisions }) => ({
        useCase,
        modelId,
        ableIds,
        decisions: decisions.map(toDecision),
      })),
    autoCount,
    followingCount: rows.reduce((sum, row) => sum + Number(row.followingCount), 0),
    otherCount,
    sliceCount,
  };
}

function toDecision([
  propensity = 1,
  success = null,
  costUsd = null,
  latencyMs = null,
  quality = null,
  userKey = 0,
  sessionKey = 0,
]: readonly (number | null)[]): LoggedDecision {
  return {
    propensity: Number(propensity),
    success,
    costUsd,
    latencyMs,
    quality,
    userKey: Number(userKey),
    sessionKey: Number(sessionKey),
  };
}
