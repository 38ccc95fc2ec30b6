import type { Check } from './answers.ts';
import type { PriceCase } from './prices.ts';
import { NO_PRICE, SAME_PRICE } from './prices.ts';
import type { Recording, Skipped } from './recordings.ts';

/** A recording with all that was tried of it. */
export interface Tested {
  readonly recording: Pick<Recording, 'provider' | 'name' | 'isStream' | 'statusCode'> & {
    readonly protocol: string;
  };
  readonly checks: readonly Check[];
  /** Why a request was not written in a protocol. */
  readonly refusals: readonly string[];
}

type Row = readonly string[];

export function printAnswers(tested: readonly Tested[]): void {
  heading(`Answers: ${tested.length} recordings, ${countOf(tested)} checks`);
  printTable([
    ['provider', 'protocol', 'whole', 'stream', 'error', 'checks', 'failed'],
    ...grouped(tested, ({ recording: { provider, protocol } }) => `${provider}\t${protocol}`).map(
      ([key, group]) => {
        const of = (kind: string): string => shown(group.filter((each) => kindOf(each) === kind).length);
        const failed = group.flatMap(({ checks }) => checks).filter(({ fault }) => fault !== null);
        return [
          ...key.split('\t'),
          of('whole'),
          of('stream'),
          of('error'),
          String(countOf(group)),
          shown(failed.length),
        ];
      },
    ),
  ]);
  printMatrix(tested);
}

export function printRequests(tested: readonly Tested[]): void {
  heading(`Requests: ${tested.length} recordings, ${countOf(tested)} checks`);
  printMatrix(tested);
  const reasons = tested.flatMap(({ refusals }) => refusals);
  console.log(`\nrefused there in words: ${reasons.length}`);
  printTable(
    grouped(reasons, (reason) => reason.replace(/ \(.*\)$/, '')).map(([key, { length }]) => [
      String(length),
      key,
    ]),
  );
}

export function printSkipped(skipped: readonly Skipped[]): void {
  heading(`Skipped recordings: ${skipped.length}`);
  printTable(
    grouped(skipped, ({ reason }) => reason).map(([reason, group]) => [
      String(group.length),
      reason,
      [...new Set(group.map(({ provider }) => provider))].sort().join(', '),
    ]),
  );
}

export function printPrices(cases: readonly PriceCase[]): void {
  heading(`Prices: ${cases.length} pairs of a recorded usage and a provider that could have sent it`);
  printTable(grouped(cases, ({ outcome }) => outcome).map(([key, { length }]) => [String(length), key]));
  const compared = cases.filter(({ outcome }) => outcome === SAME_PRICE || outcome === 'failed');
  console.log('\npriced, by provider:');
  printTable(
    grouped(compared, ({ provider }) => provider).map(([provider, group]) => [
      provider,
      `${group.filter(({ outcome }) => outcome === SAME_PRICE).length} of ${group.length}`,
    ]),
  );
  console.log(`\n"${NO_PRICE}": unknown is null here, never 0.`);
}

/** Prints what failed, and gives its number. */
export function printFaults(tested: readonly Tested[], prices: readonly PriceCase[]): number {
  const faults = [
    ...tested.flatMap(({ recording: { provider, protocol, name }, checks }) =>
      checks
        .filter(({ fault }) => fault !== null)
        .map(({ what, fault }) => `${provider} ${name}: ${protocol} -> ${what}: ${fault}`),
    ),
    ...prices
      .filter(({ fault }) => fault !== null)
      .map(({ provider, fault }) => `price of ${provider}: ${fault}`),
  ];
  heading(faults.length === 0 ? 'Nothing failed' : `Failed: ${faults.length}`);
  for (const fault of faults) console.log(fault);
  return faults.length;
}

/** From which protocol to which: passed, and failed where something did. */
function printMatrix(tested: readonly Tested[]): void {
  const all = tested.flatMap(({ recording: { protocol }, checks }) =>
    checks.map(({ what, fault }) => ({ protocol, what, isFailed: fault !== null })),
  );
  const columns = [...new Set(all.map(({ what }) => what))];
  console.log('');
  printTable([
    ['recorded in', ...columns],
    ...grouped(all, ({ protocol }) => protocol).map(([protocol, group]) => [
      protocol,
      ...columns.map((column) => {
        const cell = group.filter(({ what }) => what === column);
        const failed = cell.filter(({ isFailed }) => isFailed).length;
        return `${shown(cell.length - failed)}${failed === 0 ? '' : ` (${failed} failed)`}`;
      }),
    ]),
  ]);
}

function kindOf({ recording: { isStream, statusCode }, checks }: Tested): string {
  const isError = statusCode !== 200 || !checks.some(({ what }) => what === 'passed on');
  return isError ? 'error' : isStream ? 'stream' : 'whole';
}

function countOf(tested: readonly Tested[]): number {
  return tested.reduce((sum, { checks }) => sum + checks.length, 0);
}

function grouped<Item>(items: readonly Item[], keyOf: (item: Item) => string): [string, Item[]][] {
  const groups = new Map<string, Item[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return [...groups].sort(([a, { length: n }], [b, { length: m }]) => m - n || a.localeCompare(b));
}

function shown(count: number): string {
  return count === 0 ? '-' : String(count);
}

function heading(text: string): void {
  console.log(`\n${text}\n${'='.repeat(text.length)}`);
}

function printTable(rows: readonly Row[]): void {
  const widths = rows.reduce<number[]>(
    (known, row) => row.map((cell, at) => Math.max(cell.length, known[at] ?? 0)),
    [],
  );
  for (const row of rows) {
    console.log(
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  }
}
