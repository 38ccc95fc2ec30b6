import { describe, expect, it } from 'vitest';
import { CrossPool, type MomentTable } from './cross-pool.ts';
import { binaryMoments, type Moments, posteriorInterval, posteriorOf } from './posterior.ts';
import { createRandom } from './random.ts';

const FIRST = { mean: 0.9, weight: 10 };

function coins(
  rates: Readonly<Record<string, Readonly<Record<string, readonly [number, number]>>>>,
): MomentTable {
  return new Map(
    Object.entries(rates).map(([row, cells]) => [
      row,
      new Map(Object.entries(cells).map(([column, [good, bad]]) => [column, binaryMoments(good, bad)])),
    ]),
  );
}

function amounts(count: number, mean: number): Moments {
  return { count, sum: count * mean, squareSum: 2 * count * mean * mean };
}

const shares = (table: MomentTable, weight?: number): CrossPool =>
  new CrossPool(table, { kind: 'share', first: FIRST, spread: 1, weight });

describe('CrossPool of shares', () => {
  it('expects of a cell what its column does in other rows, as far as the row is like them', () => {
    const pool = shares(
      coins({
        easy: { a: [950, 50], b: [900, 100], c: [925, 75] },
        hard: { a: [500, 500], b: [300, 700], c: [0, 0] },
      }),
    );
    const expected = pool.priorOfCell('hard', 'c')?.mean ?? 1;
    expect(expected).toBeLessThan(0.75);
    expect(expected).toBeGreaterThan(0.35);
  });

  it('uses nothing of the cell itself', () => {
    const rest = { b: [80, 20], c: [60, 40] } as const;
    const other = { a: [90, 10], b: [85, 15], c: [70, 30] } as const;
    const one = shares(coins({ here: { a: [1, 999], ...rest }, other }), 20).priorOfCell('here', 'a');
    const two = shares(coins({ here: { a: [999, 1], ...rest }, other }), 20).priorOfCell('here', 'a');
    // Only the mean of all models knows it.
    expect(Math.abs((one?.mean ?? 0) - (two?.mean ?? 1))).toBeLessThan(0.1);
  });

  it('leans harder where rows and columns foretell the cells', () => {
    const random = createRandom(3);
    const table = (difference: number): MomentTable =>
      new Map(
        Array.from({ length: 8 }, (_, row) => [
          `row ${row}`,
          new Map(
            Array.from({ length: 6 }, (_, column) => {
              const rate = 0.5 + 0.05 * column - 0.02 * row + difference * (random.next() - 0.5);
              return [
                `column ${column}`,
                binaryMoments(Math.round(400 * rate), 400 - Math.round(400 * rate)),
              ];
            }),
          ),
        ]),
      );
    const alike = shares(table(0)).priorOfCell('row 0', 'column 0')?.weight ?? 0;
    const wild = shares(table(0.7)).priorOfCell('row 0', 'column 0')?.weight ?? 0;
    expect(alike).toBeGreaterThan(40);
    expect(wild).toBeLessThan(12);
  });

  it('has a prior for a column that was never seen, and none for a cell outside the table', () => {
    const pool = shares(coins({ here: { a: [0, 0] } }));
    expect(pool.priorOfCell('here', 'a')?.mean).toBeCloseTo(0.9, 9);
    expect(pool.priorOfCell('here', 'z')).toBeNull();
    expect(shares(new Map()).priorOfColumn('a')?.mean).toBeCloseTo(0.9, 9);
  });

  it('stays inside (0, 1) where everything succeeds or fails', () => {
    const pool = shares(
      coins({
        one: { a: [500, 0], b: [500, 0] },
        two: { a: [0, 500], b: [0, 500] },
        three: { a: [3, 0], b: [0, 3] },
      }),
    );
    for (const row of ['one', 'two', 'three']) {
      const mean = pool.priorOfCell(row, 'a')?.mean ?? -1;
      expect(mean).toBeGreaterThan(0);
      expect(mean).toBeLessThan(1);
    }
  });

  it('makes intervals that hold the truth as often as they say, on the average of small cells', () => {
    const seed = 12;
    const random = createRandom(seed);
    let held = 0;
    let count = 0;
    for (let round = 0; round < 60; round++) {
      const truths = new Map<string, number>();
      const table: MomentTable = new Map(
        Array.from({ length: 6 }, (_, row) => {
          const ease = 1.2 * random.normal();
          const cells = Array.from({ length: 6 }, (_, column) => {
            const truth = 1 / (1 + Math.exp(-(0.5 + ease + 0.3 * column - 1 + 0.6 * random.normal())));
            truths.set(`${row} ${column}`, truth);
            const good = Array.from({ length: 25 }, () => random.next() < truth).filter(Boolean).length;
            return [`${column}`, binaryMoments(good, 25 - good)] as const;
          });
          return [`${row}`, new Map(cells)] as const;
        }),
      );
      const pool = shares(table);
      for (const [key, truth] of truths) {
        const [row = '', column = ''] = key.split(' ');
        const seen = table.get(row)?.get(column);
        const prior = pool.priorOfCell(row, column);
        if (seen === undefined || prior === null) throw new Error(`no prior of ${key}`);
        const [low, high] = posteriorInterval(posteriorOf(seen, prior));
        count++;
        if (truth >= low && truth <= high) held++;
      }
    }
    expect(held / count, `seed ${seed}`).toBeGreaterThan(0.93);
    expect(held / count, `seed ${seed}`).toBeLessThan(0.975);
  });
});

describe('CrossPool of amounts', () => {
  const costs = (table: MomentTable): CrossPool =>
    new CrossPool(table, { kind: 'amount', first: null, spread: 1 });

  it('moves what a model costs elsewhere by how much dearer the others find the row', () => {
    const pool = costs(
      new Map([
        [
          'short',
          new Map([
            ['cheap', amounts(500, 0.001)],
            ['dear', amounts(500, 0.01)],
            ['new', amounts(500, 0.004)],
          ]),
        ],
        [
          'long',
          new Map([
            ['cheap', amounts(500, 0.005)],
            ['dear', amounts(500, 0.05)],
            ['new', amounts(0, 0)],
          ]),
        ],
      ]),
    );
    const mean = pool.priorOfCell('long', 'new')?.mean ?? 0;
    expect(mean).toBeGreaterThan(0.008);
    expect(mean).toBeLessThan(0.021);
  });

  it('believes nothing of a model that is known nowhere else', () => {
    expect(
      costs(new Map([['here', new Map([['a', amounts(10, 0.01)]])]])).priorOfCell('here', 'a'),
    ).toBeNull();
  });

  it('learns nothing from what is free, and stays finite', () => {
    const pool = costs(
      new Map([
        [
          'here',
          new Map([
            ['free', amounts(10, 0)],
            ['paid', amounts(10, 0.01)],
          ]),
        ],
        [
          'there',
          new Map([
            ['free', amounts(10, 0)],
            ['paid', amounts(10, 0.02)],
          ]),
        ],
      ]),
    );
    expect(pool.priorOfCell('here', 'free')).toBeNull();
    expect(pool.priorOfCell('here', 'paid')?.mean).toBeCloseTo(0.02, 6);
  });
});

describe('CrossPool of grouped rows', () => {
  /** Twelve rows in two groups; in one of them column a is good and b bad, in the other the reverse. */
  const world = (group: (row: number) => number, count = 60): MomentTable => {
    const random = createRandom(11);
    const draw = (rate: number): readonly [number, number] => {
      const good = Array.from({ length: count }, () => random.next() < rate).filter(Boolean).length;
      return [good, count - good];
    };
    return coins(
      Object.fromEntries(
        Array.from({ length: 12 }, (_, row) => [
          `row ${row}`,
          {
            a: draw(group(row) === 0 ? 0.8 : 0.5),
            b: draw(group(row) === 0 ? 0.5 : 0.8),
            c: draw(0.65),
          },
        ]),
      ),
    );
  };
  const groups = new Map(Array.from({ length: 12 }, (_, row) => [`row ${row}`, row < 6 ? 'one' : 'two']));
  const grouped = (table: MomentTable): CrossPool =>
    new CrossPool(table, { kind: 'share', first: FIRST, spread: 1, groups });

  it('expects of a cell what its column does in the rows of its group', () => {
    const table = world((row) => (row < 6 ? 0 : 1));
    const plain = shares(table).priorOfCell('row 0', 'a');
    const prior = grouped(table).priorOfCell('row 0', 'a');
    expect(prior?.mean ?? 0).toBeGreaterThan((plain?.mean ?? 1) + 0.05);
    expect(prior?.mean ?? 0).toBeLessThan(0.85);
    expect(prior?.weight ?? 0).toBeGreaterThan(plain?.weight ?? 0);
  });

  it('keeps to all rows where the groups have nothing in common', () => {
    const table = world((row) => row % 2);
    const plain = shares(table).priorOfCell('row 0', 'a');
    const prior = grouped(table).priorOfCell('row 0', 'a');
    expect(Math.abs((prior?.mean ?? 0) - (plain?.mean ?? 1))).toBeLessThan(0.03);
  });

  it('treats a row of no group as before', () => {
    const table = world((row) => (row < 6 ? 0 : 1));
    const others = new Map([...groups].filter(([row]) => row !== 'row 0'));
    const pool = new CrossPool(table, { kind: 'share', first: FIRST, spread: 1, groups: others });
    expect(pool.priorOfCell('row 0', 'a')).toEqual(shares(table).priorOfCell('row 0', 'a'));
  });

  it('keeps means of shares within 0 and 1, and amounts above 0', () => {
    const certain = coins(
      Object.fromEntries(
        Array.from({ length: 12 }, (_, row) => [
          `row ${row}`,
          { a: row < 6 ? [500, 0] : [0, 500], b: row < 6 ? [0, 500] : [500, 0] },
        ]),
      ),
    );
    const costs: MomentTable = new Map(
      Array.from({ length: 12 }, (_, row) => [
        `row ${row}`,
        new Map([['a', amounts(40, row < 6 ? 1e-6 : 1)]]),
      ]),
    );
    const amountPool = new CrossPool(costs, { kind: 'amount', first: null, spread: 1, groups });
    for (const row of groups.keys()) {
      const mean = grouped(certain).priorOfCell(row, 'a')?.mean ?? -1;
      expect(mean).toBeGreaterThanOrEqual(0);
      expect(mean).toBeLessThanOrEqual(1);
      expect(amountPool.priorOfCell(row, 'a')?.mean ?? -1).toBeGreaterThan(0);
    }
  });
});
