import type { AddedLatency } from './latency.ts';
import type { StreamCost } from './streams.ts';
import { median, quantile, type Run } from './throughput.ts';

/** Markdown tables of what was measured. */

export function printThroughput(runs: readonly Run[], yardstick: string): void {
  const names = [...new Set(runs.map(({ name }) => name))];
  const of = (name: string): Run[] => runs.filter((run) => run.name === name);
  console.log(
    '| server | requests/s, median (least to most) | p50, p99 | processor time of a request: server, store, upstream | share of the bare proxy in the same round |',
  );
  console.log('|---|---|---|---|---|');
  for (const name of names) {
    const own = of(name);
    const ratios = own.map((run, at) => run.perSecond / (of(yardstick)[at]?.perSecond ?? Number.NaN));
    const middle = (read: (run: Run) => number): number => median(own.map(read));
    const store = own[0]?.storeUs === null ? '–' : `${middle((run) => run.storeUs ?? 0).toFixed(0)} us`;
    console.log(
      `| ${name} | ${spread(
        own.map(({ perSecond }) => perSecond),
        0,
      )} | ${middle((run) => run.p50Ms).toFixed(2)} ms, ` +
        `${middle((run) => run.p99Ms).toFixed(1)} ms | ${middle((run) => run.serverUs).toFixed(0)} us, ${store}, ` +
        `${middle((run) => run.upstreamUs).toFixed(0)} us | ${spread(ratios, 3)} |`,
    );
  }
  const backlogs = runs.flatMap(({ backlogMs }) => (backlogMs === null ? [] : [backlogMs]));
  const errorCount = runs.reduce((sum, run) => sum + run.errorCount, 0);
  console.log(
    `\nUntil the store had the last row: ${spread(backlogs, 0)} ms after the load. Errors: ${errorCount}.\n`,
  );
}

export function printLatency(title: string, rows: readonly AddedLatency[]): void {
  console.log(`| ${title} | requests | p50 | p99 | upstream alone p50, p99 | left late p99 |`);
  console.log('|---|---|---|---|---|---|');
  for (const row of rows) {
    const failed = row.failedCount === 0 ? '' : ` (${row.failedCount} failed)`;
    console.log(
      `| ${row.name} | ${row.sentCount}${failed} | ${row.addedP50Ms.toFixed(2)} ms | ${row.addedP99Ms.toFixed(2)} ms | ` +
        `${row.directP50Ms.toFixed(2)} ms, ${row.directP99Ms.toFixed(2)} ms | ${row.lateP99Ms.toFixed(2)} ms |`,
    );
  }
  console.log('');
}

export function printStreams(rows: readonly StreamCost[]): void {
  console.log(
    '| streams | asked, open at once, ended whole | memory idle | memory with all open | per stream | per piece | between pieces p50, p99 |',
  );
  console.log('|---|---|---|---|---|---|---|');
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
  for (const row of rows) {
    console.log(
      `| ${row.name} | ${row.streamCount}, ${row.openCountMax}, ${row.endedCount} | ${mb(row.idleBytes)} | ${mb(row.peakBytes)} | ` +
        `${(row.bytesPerStream / 1_000).toFixed(0)} kB | ${row.usPerPiece.toFixed(0)} us | ` +
        `${row.gapP50Ms.toFixed(1)} ms, ${row.gapP99Ms.toFixed(1)} ms |`,
    );
  }
  console.log('');
}

function spread(values: readonly number[], digits: number): string {
  return `${median(values).toFixed(digits)} (${quantile(values, 0).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`;
}
