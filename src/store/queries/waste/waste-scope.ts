import { storedMoment } from '../../../core/usage-record.ts';

/** A half-open window [from, to) of the log, exact to the millisecond, and the run whose use cases label it. */
export interface WasteScope {
  readonly runId: string;
  readonly from: Date;
  readonly to: Date;
  /** Of the ranking evidence that findings look at; the log is read without shadows in any case. */
  readonly isAskedForOnly?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What is left out means every model, every use case. */
export interface WasteFilter {
  readonly modelId?: string | undefined;
  readonly useCase?: string | undefined;
}

/** Bound values that all questions about waste have. */
export function windowParams(
  { from, to }: WasteScope,
  { modelId = '' }: WasteFilter,
): { from: string; to: string; modelId: string } {
  return { from: storedMoment(from.getTime()), to: storedMoment(to.getTime()), modelId };
}

/** A number that may come as a string, or not at all. */
export function toNumberOrNull(value: unknown): number | null {
  return value === null || value === undefined ? null : Number(value);
}
