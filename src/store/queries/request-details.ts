import { momentOfRequestId } from '../../core/signal.ts';
import { storedMoment } from '../../core/usage-record.ts';
import type { Database } from '../database.ts';
import { findRequest, type RequestRow } from './requests.ts';
import { isoOfStored } from './usage-window.ts';

export interface StoredDecision {
  readonly cause: string;
  readonly ruleName: string | null;
  readonly policy: string | null;
  readonly useCase: string;
  readonly useCaseConfidence: number | null;
  readonly modelId: string;
  readonly fallbackModelIds: readonly string[];
  /** As it was logged: candidates with their scores and why they were none. */
  readonly candidates: unknown;
  readonly propensity: number;
  readonly isExploration: boolean;
  /** The A/B test that the request was in, and its arm; null where it was in none. */
  readonly abTest: string | null;
  readonly abArm: string | null;
  readonly snapshotVersion: string | null;
  readonly reason: string;
}

export interface StoredSignal {
  readonly kind: string;
  readonly value: number;
  readonly comment: string | null;
  readonly source: string;
  /** ISO 8601. */
  readonly at: string;
}

export interface RequestDetails {
  readonly request: RequestRow;
  /** Why its model was chosen; null for requests that were not routed here. */
  readonly decision: StoredDecision | null;
  /** What was learnt later, oldest first. */
  readonly signals: readonly StoredSignal[];
}

const DECISION = `
SELECT
  cause,
  nullIf(rule_name, '') AS ruleName,
  nullIf(policy, '') AS policy,
  use_case AS useCase,
  use_case_confidence AS useCaseConfidence,
  model_id AS modelId,
  fallback_model_ids AS fallbackModelIds,
  candidates,
  propensity,
  is_exploration AS isExploration,
  nullIf(ab_test, '') AS abTest,
  nullIf(ab_arm, '') AS abArm,
  nullIf(snapshot_version, '') AS snapshotVersion,
  reason
FROM decisions
WHERE started_at >= {from:DateTime64(3)} AND started_at < {to:DateTime64(3)} AND request_id = {id:UUID}
LIMIT 1`;

const SIGNALS = `
SELECT kind, value, nullIf(comment, '') AS comment, source, toString(at) AS at
FROM signals FINAL
WHERE request_id = {id:UUID}
ORDER BY signals.at, kind`;

/** All that is known of one request; null when the log does not have it. Reads usage_log, decisions, signals. */
export async function requestDetails(db: Database, requestId: string): Promise<RequestDetails | null> {
  const atMs = momentOfRequestId(requestId);
  if (atMs === null) return null;
  const window = { from: storedMoment(Math.max(0, atMs - 1_000)), to: storedMoment(atMs + 1_000) };
  const [request, decisions, signals] = await Promise.all([
    findRequest(db, requestId),
    db.query<StoredDecision & { readonly candidates: string }>(DECISION, { id: requestId, ...window }),
    db.query<StoredSignal>(SIGNALS, { id: requestId }),
  ]);
  if (request === null) return null;
  const [decision] = decisions;
  return {
    request,
    decision:
      decision === undefined ? null : { ...decision, candidates: JSON.parse(decision.candidates) as unknown },
    signals: signals.map((signal) => ({ ...signal, at: isoOfStored(signal.at) })),
  };
}
