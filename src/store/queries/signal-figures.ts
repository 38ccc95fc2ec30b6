import type { SignalKind } from '../../core/signal.ts';
import { storedMoment } from '../../core/usage-record.ts';
import type { PairSums } from '../../stats/correlation.ts';
import type { Database } from '../database.ts';
import { rowsUnderRun } from '../rows-under-run.ts';
import type { EvidenceScope } from './ranking-evidence.ts';
