import type { PublishedSnapshot } from '../core/snapshot.ts';
import type { Timeframe } from '../core/timeframe.ts';
import type { RankingHold } from '../store/queries/ranking-versions.ts';
import type { BuiltRankings } from './build-rankings.ts';

export interface RefreshAnswer {
  /** What was published; the version that is held while one is. */
  readonly version: string;
  /** Not null: nothing was published, because an operator holds a version. The figures are what would have been. */
  readonly hold: RankingHold | null;
  readonly runId: string;
  /** Use cases with a ranking. */
  readonly useCaseCount: number;
  readonly modelCount: number;
  readonly requestCount: number;
  readonly window: { readonly from: string; readonly to: string; readonly label: string };
  /** How well session signals agreed with explicit feedback; see docs/ranking.md. */
  readonly signals: {
    readonly agreement: number;
    readonly agreementMeasured: number | null;
    readonly pairCount: number;
  };
}

/** What a refresh made, and the version that is in use after it. */
export function refreshAnswer(
  inUse: RankingHold | PublishedSnapshot,
  runId: string,
  window: Timeframe,
  { rankings, overall, calibration }: BuiltRankings,
): RefreshAnswer {
  const { agreement, agreementMeasured, pairCount } = calibration;
  return {
    version: inUse.version,
    hold: 'heldAt' in inUse ? inUse : null,
    runId,
    useCaseCount: rankings.length,
    modelCount: overall.models.length,
    requestCount: overall.requestCount,
    window: { from: window.from.toISOString(), to: window.to.toISOString(), label: window.label },
    signals: { agreement, agreementMeasured, pairCount },
  };
}
