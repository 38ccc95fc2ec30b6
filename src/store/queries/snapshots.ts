import { LinearClassifier } from '../../core/linear-classifier.ts';
import type { PublishedSnapshot, RankedModel, Snapshot } from '../../core/snapshot.ts';
import { starterSnapshot } from '../../core/starter-snapshot.ts';
import { storedMoment } from '../../core/usage-record.ts';
import type { UseCase } from '../../core/use-case.ts';
import { STARTER_RUN_ID } from '../../core/use-case.ts';
import type { Database } from '../database.ts';
import { readPublication } from './ranking-versions.ts';
import { readRuledUseCases } from './ruled-use-cases.ts';

const LATEST_VERSION_SQL = 'SELECT max(version) AS version FROM snapshots';

/** Which snapshot was published last, whether or not it is in use? One small table; null before the first. */
export async function readLatestVersion(db: Database): Promise<string | null> {
  const [row] = await db.query<{ version: string }>(LATEST_VERSION_SQL);
  return row === undefined || row.version === '' ? null : row.version;
}

const SNAPSHOT_SQL = 'SELECT body FROM snapshots WHERE version = {version:String} LIMIT 1';

/** The snapshot of a version as it was published; null when there is none (any more). */
export async function readPublishedSnapshot(
  db: Database,
  version: string,
): Promise<PublishedSnapshot | null> {
  const [row] = await db.query<{ body: string }>(SNAPSHOT_SQL, { version });
  return row ? (JSON.parse(row.body) as PublishedSnapshot) : null;
}

/** The last published snapshot, or an earlier one while that is held; null before the first. */
export async function readLatestPublished(db: Database): Promise<PublishedSnapshot | null> {
  const { current } = await readPublication(db);
  return current === null ? null : await readPublishedSnapshot(db, current);
}

const EVIDENCE_SQL = 'SELECT body FROM snapshot_evidence WHERE version = {version:String} LIMIT 1';

/** What a snapshot was computed from, as its publisher wrote it; null a day later, and for a version rolled back to. */
export async function readSnapshotEvidence(db: Database, version: string): Promise<string | null> {
  const [row] = await db.query<{ body: string }>(EVIDENCE_SQL, { version });
  return row?.body ?? null;
}

const CLASSIFIER_SQL = `
SELECT argMax(bytes, created_at) AS bytes
FROM classifiers
WHERE run_id = {runId:String}
HAVING count() > 0`;

/** The snapshot that is in use with its classifier, ready for the hot path; null before the first. */
export async function loadLatestSnapshot(db: Database): Promise<Snapshot | null> {
  const published = await readLatestPublished(db);
  return published === null ? null : await loadSnapshot(db, published);
}

/** A published snapshot with the classifier of its run. */
export async function loadSnapshot(db: Database, published: PublishedSnapshot): Promise<Snapshot> {
  return toSnapshot(published, await readClassifierBytes(db, published.runId));
}

/**
 * A published snapshot that follows `current`, whose classifier it shares while the run is the same: a run's never
 * changes.
 *
 * @param readClassifier  gives the bytes of another run's
 */
export async function nextSnapshot(
  published: PublishedSnapshot,
  current: Snapshot,
  readClassifier: (runId: string) => Promise<Uint8Array | null>,
): Promise<Snapshot> {
  const { runId, classifier } = current;
  if (published.runId === runId) return { ...frameOf(published), runId, classifier };
  return toSnapshot(published, await readClassifier(published.runId));
}

/** The trained classifier of a discovery run; null for the starter run and for runs whose classifier is gone. */
export async function readClassifierBytes(db: Database, runId: string): Promise<Uint8Array | null> {
  if (runId === STARTER_RUN_ID) return null;
  const [row] = await db.query<{ bytes: string }>(CLASSIFIER_SQL, { runId });
  return row && row.bytes !== '' ? new Uint8Array(Buffer.from(row.bytes, 'base64')) : null;
}

/**
 * A published snapshot as the hot path wants it. Without classifier bytes the starter taxonomy classifies;
 * rows are then labelled as the starter run's, so that they are never mistaken for the run's own.
 */
function toSnapshot(published: PublishedSnapshot, classifierBytes: Uint8Array | null): Snapshot {
  return {
    ...frameOf(published),
    runId: classifierBytes === null ? STARTER_RUN_ID : published.runId,
    classifier:
      classifierBytes === null ? starterSnapshot().classifier : LinearClassifier.decode(classifierBytes),
  };
}

function frameOf(published: PublishedSnapshot): Omit<Snapshot, 'runId' | 'classifier'> {
  const { version, createdAt, useCases, rankings, overall } = published;
  return {
    version,
    createdAt,
    useCases,
    rankings: new Map(rankings.map((ranking) => [ranking.useCase, ranking])),
    overall,
  };
}

const USE_CASES_SQL = `
SELECT
  slug,
  name,
  keywords,
  example_prompts AS examplePrompts,
  sample_count AS sampleCount,
  distinct_prompt_count AS distinctPromptCount,
  typical_length AS typicalLength,
  description,
  theme,
  is_pinned AS isPinned
FROM use_cases FINAL
WHERE run_id = {runId:String}
ORDER BY sample_count DESC, slug`;

/**
 * Which use cases does a run have? Those it discovered, most frequent first (the starter run has the starter
 * taxonomy), then those that are there by hand-written rules alone.
 */
export async function readUseCasesOfRun(db: Database, runId: string): Promise<readonly UseCase[]> {
  const found = runId === STARTER_RUN_ID ? starterSnapshot().useCases : await readFoundByRun(db, runId);
  return [...found, ...(await readRuledUseCases(db, runId, found))];
}

async function readFoundByRun(db: Database, runId: string): Promise<UseCase[]> {
  const rows = await db.query<UseCase>(USE_CASES_SQL, { runId });
  return rows.map(({ description, theme, isPinned, ...row }) => ({
    ...row,
    sampleCount: Number(row.sampleCount),
    distinctPromptCount: Number(row.distinctPromptCount),
    ...(description ? { description } : {}),
    ...(theme ? { theme } : {}),
    ...(isPinned ? { isPinned } : {}),
  }));
}

/**
 * Stores a snapshot and its numbers. The snapshot comes last: whoever sees its version sees all of it.
 *
 * @param evidence  what it was computed from; null where nobody may add to it
 */
export async function writeSnapshot(
  db: Database,
  snapshot: PublishedSnapshot,
  evidence: string | null = null,
): Promise<void> {
  const { version } = snapshot;
  const createdAt = storedMoment(Date.parse(snapshot.createdAt));
  const rows = snapshot.rankings.flatMap((ranking) =>
    ranking.models.map((model) => ({
      snapshot_version: version,
      run_id: snapshot.runId,
      created_at: createdAt,
      use_case: ranking.useCase,
      ...rankingColumns(model),
    })),
  );
  if (rows.length > 0) await db.insertRows('rankings', rows);
  if (evidence !== null) {
    await db.insertRows('snapshot_evidence', [{ version, created_at: createdAt, body: evidence }]);
  }
  await db.insertRows('snapshots', [
    {
      version,
      run_id: snapshot.runId,
      created_at: createdAt,
      rolled_back_to: snapshot.rolledBackTo ?? '',
      use_case_count: snapshot.rankings.length,
      request_count: snapshot.overall.requestCount,
      body: JSON.stringify(snapshot),
    },
  ]);
}

function rankingColumns(model: RankedModel): object {
  return {
    model_id: model.modelId,
    score: model.score,
    score_low: model.scoreLow,
    score_high: model.scoreHigh,
    success_part: model.success.value,
    speed_part: model.speed.value,
    cost_part: model.cost?.value ?? null,
    quality_part: model.quality.value,
    success_rate: model.successRate,
    latency_mean_ms: model.latencyMeanMs,
    latency_p95_ms: model.latencyP95Ms,
    cost_mean_usd: model.costMeanUsd,
    follow_up_rate: model.followUpRate,
    request_count: model.requestCount,
    is_candidate: model.isCandidate,
    not_candidate_reason: model.notCandidateReason ?? '',
  };
}
