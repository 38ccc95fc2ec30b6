import { storedMoment } from './usage-record.ts';

/**
 * What was learnt about a request after it ended.
 * - `feedback`: somebody said so; `value` is the quality 0..1 (score 1-5 maps to (score - 1) / 4, thumbs to 0 or 1)
 * - `imported_score`: an evaluation that came with history, 0..1
 * - `follow_up`: the same session asked again, about something else
 * - `re_ask`: the same session asked nearly the same again
 * - `correction`: the next turn says that the answer was wrong
 * - `abandonment`: the client left before the answer ended
 * - `thanks`: the next turn thanks and asks nothing
 * - `judge_score`: a configured model scored the answer, 0..1
 */
export type SignalKind =
  | 'feedback'
  | 'imported_score'
  | 'follow_up'
  | 're_ask'
  | 'correction'
  | 'abandonment'
  | 'thanks'
  | 'judge_score';

export interface Signal {
  readonly requestId: string;
  readonly kind: SignalKind;
  /** Quality 0..1 for feedback and scores; 1 for events. */
  readonly value: number;
  readonly comment: string | null;
  readonly source: 'api' | 'library' | 'session' | 'import' | 'judge';
  readonly atMs: number;
}

/** A row of `signals` as the store takes it. A later signal of the same kind replaces an earlier one. */
export function encodeSignal(signal: Signal): string {
  return JSON.stringify({
    request_id: signal.requestId,
    kind: signal.kind,
    value: signal.value,
    comment: signal.comment,
    source: signal.source,
    at: storedMoment(signal.atMs),
  });
}

/** Milliseconds since 1970 inside a version-7 UUID, or null when `id` is not one. */
export function momentOfRequestId(id: string): number | null {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i.test(id)
    ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
    : null;
}
