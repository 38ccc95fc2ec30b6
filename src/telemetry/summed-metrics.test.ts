import { Histogram, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { BinnedHistogram, SummedCounter } from './summed-metrics.ts';

const labelsOf = (model: string) => ({ model });

describe('SummedCounter', () => {
  it('shows the sums of all scrapes, and no series for what was never known', async () => {
    const registers = [new Registry()];
    const counter = new SummedCounter({
      name: 'tokens_total',
      help: 'Tokens',
      labelNames: ['model'],
      registers,
    });
    counter.add('a', 2, 'a', labelsOf);
    counter.add('b', null, 'b', labelsOf);
    await registers[0]?.metrics();
    counter.add('a', 3, 'a', labelsOf);
    expect(await registers[0]?.metrics()).toBe(
      '# HELP tokens_total Tokens\n# TYPE tokens_total counter\ntokens_total{model="a"} 5\n',
    );
  });
});

describe('BinnedHistogram', () => {
  it('writes what a histogram of prom-client writes for the same observations', async () => {
    const [ours, theirs] = [new Registry(), new Registry()];
    const common = { name: 'wait_seconds', help: 'Waiting', labelNames: ['model'], buckets: [0.05, 0.1, 1] };
    const binned = new BinnedHistogram({ ...common, registers: [ours] });
    const plain = new Histogram({ ...common, registers: [theirs] });
    for (const [model, ms] of [
      ['a', 50],
      ['a', 51],
      ['b', 5_000],
      ['a', 0],
    ] as const) {
      binned.observeMs(model, ms, model, labelsOf);
      plain.observe({ model }, ms / 1_000);
    }
    binned.observeMs('c', null, 'c', labelsOf);
    const lines = async (registry: Registry) => (await registry.metrics()).split('\n').map(sorted).sort();
    expect(await lines(ours)).toEqual(await lines(theirs));
  });
});

/** Labels in the order of their names: theirs comes from the insides of the library. */
function sorted(line: string): string {
  return line.replace(/\{(.*)\}/, (_, labels: string) => `{${labels.split(',').sort().join(',')}}`);
}
