import type { LiveRequest, Signs } from './live-sums.ts';
import { LiveSums } from './live-sums.ts';

/** Something that counts on top of the published evidence, as plain data: it may be counted in another thread. */
export type LiveEvent = LiveCell & {
  /** When this process saw it, milliseconds since 1970. */
  readonly atMs: number;
} & (
    | { readonly kind: 'request'; readonly request: LiveRequest; readonly signs: Signs }
    /** A model that failed a request which another one then answered. */
    | { readonly kind: 'failure' }
    /** What a signal changed: the signs after it in place of those before. */
    | { readonly kind: 'signs'; readonly before: Signs; readonly after: Signs }
  );

/** Where it counts. */
export interface LiveCell {
  /** The run whose use case it is; null: a hand-written rule gave it, which holds in every run. */
  readonly runId: string | null;
  readonly useCase: string;
  readonly modelId: string;
}

/** An event as it is kept, or many in one. */
export interface LiveEntry extends LiveCell {
  readonly atMs: number;
  /** Published snapshots that it was not in. */
  survivedCount: number;
  addTo(sums: LiveSums): void;
}

export function entryOf(event: LiveEvent): LiveEntry {
  const { runId, useCase, modelId, atMs } = event;
  return { runId, useCase, modelId, atMs, survivedCount: 0, addTo: (sums) => addEvent(sums, event) };
}

/** The same evidence in one entry per cell, each as late as the latest that it holds. */
export function condense(entries: readonly LiveEntry[]): LiveEntry[] {
  const cells = new Map<string, { readonly sums: LiveSums; readonly parts: LiveEntry[] }>();
  for (const entry of entries) {
    const key = JSON.stringify([entry.runId, entry.useCase, entry.modelId]);
    const cell = cells.get(key) ?? { sums: new LiveSums(), parts: [] };
    cells.set(key, cell);
    entry.addTo(cell.sums);
    cell.parts.push(entry);
  }
  return [...cells.values()].flatMap(({ sums, parts: [first, ...others] }) => {
    if (first === undefined) return [];
    const latest = others.reduce((one, other) => (other.atMs > one.atMs ? other : one), first);
    return [{ ...latest, addTo: (other: LiveSums) => other.addSums(sums) }];
  });
}

function addEvent(sums: LiveSums, event: LiveEvent): void {
  if (event.kind === 'request') sums.addRequest(event.request, event.signs);
  else if (event.kind === 'failure') sums.addFailure();
  else {
    sums.addSigns(event.before, -1);
    sums.addSigns(event.after, 1);
  }
}
