import { OTHER_USE_CASE } from '../../core/use-case.ts';
import {
  type EvidenceScope,
  qualityEvidenceQuery,
  rankingEvidenceQuery,
} from '../../store/queries/ranking-evidence.ts';
import type { StoredQuery } from '../../store/queries/stored-query.ts';
import { costMeanUsd, type InefficiencyEvidence, type ModelRecord, overallRows } from './evidence.ts';
import {
  type Comparison,
  dollars,
  type Inefficiency,
  isMoney,
  NOTHING_MORE,
  percent,
  perRequest,
} from './inefficiency.ts';
import { costOfMore, findStandIns, isJudged, isSimple } from './not-worse.ts';

/** The cheaper one costs at most this share: smaller differences are lost in the length of answers. */
const CHEAPER_SHARE = 0.7;
/** Of all requests; a free model that gets more is in use. */
const IDLE_SHARE_MAX = 0.05;
/** All requests of the window before a small share of them means anything. */
const IDLE_SAMPLE_MIN = 40;

/**
 * Models on use cases in which a cheaper one is not worse, priced at the cheapest such one's mean cost there.
 * Only savings whose whole interval lies above zero are claimed.
 */
export function findExpensive(evidence: InefficiencyEvidence): Inefficiency[] {
  return evidence.rows.flatMap((row) => {
    const costUsd = costMeanUsd(row);
    // "Other" is no use case: its requests have nothing in common that a model could be good at.
    if (row.useCase === OTHER_USE_CASE || !isJudged(row, evidence) || costUsd === null || costUsd <= 0)
      return [];
    const [best] = findStandIns(row, evidence)
      .filter(({ comparison }) => comparison.costMeanUsd <= CHEAPER_SHARE * costUsd)
      .sort((a, b) => a.comparison.costMeanUsd - b.comparison.costMeanUsd);
    if (!best) return [];
    const { comparison } = best;
    const optimal = costOfMore(best.record, row.pricedCount);
    const wastedUsd = row.costSumUsd - optimal.value;
    const wastedInterval = [
      row.costSumUsd - optimal.interval[1],
      row.costSumUsd - optimal.interval[0],
    ] as const;
    if (!isMoney(wastedUsd) || wastedInterval[0] <= 0) return [];
    const price = comparison.costMeanUsd === 0 ? 'free' : perRequest(comparison.costMeanUsd);
    return [
      {
        ...NOTHING_MORE,
        type: isSimple(row.useCase) ? 'expensive_for_casual' : 'expensive_for_use_case',
        modelId: row.modelId,
        useCase: row.useCase,
        requestCount: row.requestCount,
        pricedCount: row.pricedCount,
        costUsd: row.costSumUsd,
        wastedUsd,
        wastedInterval,
        sampleCount: row.requestCount,
        comparison,
        message: `${row.modelId} used for ${row.requestCount} ${row.useCase} queries (${perRequest(costUsd)})`,
        suggestion: `Route ${row.useCase} to ${comparison.modelId} (${price})`,
        queries: comparisonQueries(evidence, row, comparison),
      },
    ];
  });
}

/** A record from elsewhere is found in the rows of all use cases. */
function comparisonQueries(
  { scope }: { readonly scope: EvidenceScope },
  row: ModelRecord,
  { isRecordElsewhere, quality }: Comparison,
): StoredQuery[] {
  const rows = isRecordElsewhere ? rankingEvidenceQuery(scope) : rankingEvidenceQuery(scope, row.useCase);
  return quality === null ? [rows] : [rows, qualityEvidenceQuery(scope)];
}

/** Free models that get next to nothing while others are paid, with what they could have served of that. */
export function findIdle(evidence: InefficiencyEvidence): Inefficiency[] {
  const overall = overallRows(evidence.rows);
  const total = overall.reduce((sum, row) => sum + row.requestCount, 0);
  const paidUsd = overall.reduce((sum, row) => sum + row.costSumUsd, 0);
  if (!isMoney(paidUsd) || total < IDLE_SAMPLE_MIN) return [];
  return overall
    .filter((row) => row.pricedCount > 0 && row.costSumUsd === 0 && row.requestCount < IDLE_SHARE_MAX * total)
    .map((row) => {
      const served = servedBy(row.modelId, evidence);
      const sum = (of: (row: ModelRecord) => number): number => served.reduce((all, one) => all + of(one), 0);
      const costUsd = served.length === 0 ? null : sum((one) => one.costSumUsd);
      const useCases = [...new Set(served.map(({ useCase }) => useCase))];
      return {
        ...NOTHING_MORE,
        type: 'local_idle' as const,
        modelId: row.modelId,
        useCase: null,
        requestCount: sum((one) => one.requestCount),
        pricedCount: sum((one) => one.pricedCount),
        costUsd,
        wastedUsd: costUsd,
        sampleCount: row.requestCount,
        message:
          `${row.modelId} is free and answered only ${percent(row.requestCount / total)} of requests, while others ` +
          `cost ${dollars(paidUsd)}; ` +
          (costUsd === null
            ? 'it was asked too little to say what of theirs it could have served as well'
            : `${dollars(costUsd)} of it for ${useCases.join(', ')}, where it is not worse`),
        suggestion: `Send ${useCases.length === 0 ? 'simple use cases' : useCases.join(', ')} to ${row.modelId}, or let auto explore it`,
        queries: [rankingEvidenceQuery(evidence.scope)],
      };
    });
}

/** What others were paid for where `modelId` is not worse than they. */
function servedBy(modelId: string, evidence: InefficiencyEvidence): ModelRecord[] {
  return evidence.rows.filter(
    (row) =>
      row.useCase !== OTHER_USE_CASE &&
      isMoney(row.costSumUsd) &&
      isJudged(row, evidence) &&
      findStandIns(row, evidence).some(({ record }) => record.modelId === modelId),
  );
}
