import type { AbStatus, AbTest } from '../core/ab-test.ts';
import { abStatusOf } from '../core/ab-test.ts';
import type { EventBus } from '../core/events.ts';
import type { AbTestBook } from '../evaluation/ab-tests.ts';
import type { AbVerdict } from '../evaluation/ab-verdict.ts';
import type { AbTests } from '../routing/ab-tests.ts';

interface Seen {
  readonly test: AbTest;
  readonly status: AbStatus;
  /** What the last look established; '' before anything. */
  readonly finding: string;
  /** True when it was looked at after its end. */
  readonly isFinal: boolean;
}

/** Keeps a gateway's A/B tests as the store has them, whoever changed them, and tells what changed. */
export class AbTestWatch {
  readonly #book: AbTestBook;
  readonly #running: AbTests;
  readonly #events: EventBus;
  readonly #clock: () => number;
  #seen: ReadonlyMap<string, Seen> | null = null;

  constructor(parts: {
    readonly book: AbTestBook;
    readonly running: AbTests;
    readonly events: EventBus;
    readonly clock: () => number;
  }) {
    this.#book = parts.book;
    this.#running = parts.running;
    this.#events = parts.events;
    this.#clock = parts.clock;
  }

  /** Routes by the tests that are there now. Emits what began, ended or went; the first time nothing is news. */
  async follow(): Promise<void> {
    const tests = await this.#book.all();
    this.#running.replace(tests);
    const nowMs = this.#clock();
    const before = this.#seen;
    const now = new Map<string, Seen>();
    for (const test of tests) {
      const status = abStatusOf(test, nowMs);
      const known = before?.get(test.name);
      const isSame = known !== undefined && known.test.createdAtMs === test.createdAtMs;
      now.set(
        test.name,
        isSame
          ? { ...known, test, status }
          : { test, status, finding: '', isFinal: before === null && isOver(status) },
      );
    }
    this.#seen = now;
    if (before === null) return;
    for (const [name, { test, status }] of now) {
      const known = before.get(name);
      if (known?.status !== status || known.test.createdAtMs !== test.createdAtMs) {
        this.#events.emit('ab-test', { name, status, verdict: null });
      }
    }
    for (const name of before.keys()) {
      if (!now.has(name)) this.#events.emit('ab-test', { name, status: 'removed', verdict: null });
    }
  }

  /** Looks at the tests that run or have just ended. Emits a verdict that is another than at the last look. */
  async judge(): Promise<void> {
    for (const { test, status, isFinal } of this.#seen?.values() ?? []) {
      if (isFinal || status === 'scheduled') continue;
      const verdict = await this.#book.verdict(test);
      const finding = findingOf(verdict);
      // It may have been replaced while the store was asked.
      const seen = this.#seen?.get(test.name);
      if (seen === undefined || seen.test.createdAtMs !== test.createdAtMs) continue;
      this.#seen = new Map(this.#seen).set(test.name, { ...seen, finding, isFinal: isOver(status) });
      if (finding !== seen.finding) {
        this.#events.emit('ab-test', { name: test.name, status: seen.status, verdict: verdict.sentence });
      }
    }
  }
}

function isOver(status: AbStatus): boolean {
  return status === 'ended' || status === 'stopped';
}

/** What was established, without the figures, which move all the time; '' for nothing. */
function findingOf({ comparisons, split }: AbVerdict): string {
  const found = comparisons.filter(({ outcome }) => outcome !== 'early');
  return [
    ...(split.isMismatched ? ['mismatch'] : []),
    ...found.map(({ arm, outcome }) => `${arm} ${outcome}`),
  ].join(', ');
}
