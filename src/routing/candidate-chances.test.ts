import { describe, expect, it } from 'vitest';
import { registryOf, rowOf, snapshotOf } from '../../tests/kit/routing-models.ts';
import { encodeDecision } from '../core/decision.ts';
import { createRandom } from '../stats/random.ts';
import { Exploration, type ExplorationChange } from './exploration.ts';
import { RoutingEngine } from './routing-engine.ts';
import { SnapshotHolder } from './snapshot-holder.ts';

const ROWS = [
  rowOf('x:best', { quality: 0.9, spread: 0.02 }),
  rowOf('x:close', { quality: 0.89, spread: 0.02 }),
  rowOf('x:bad', { quality: 0.2, spread: 0.02 }),
];

function engine(settings: ExplorationChange, newCount = 1): RoutingEngine {
  const names = ['x:best', 'x:close', 'x:bad', ...Array.from({ length: newCount }, (_, at) => `x:new${at}`)];
  return new RoutingEngine(registryOf(Object.fromEntries(names.map((name) => [name, 0]))), {
    snapshots: new SnapshotHolder(snapshotOf(ROWS)),
    exploration: new Exploration(settings),
    random: createRandom(5),
  });
}

const COFFEE = { content: 'coffee?' };

describe('the candidates of a decision', () => {
  it('carry the probabilities that the model was drawn by, also those without a rank', async () => {
    const router = engine({ share: 0.3 });
    const decision = await router.route(COFFEE);
    const chances = new Map(decision.candidates.map(({ modelId, probability }) => [modelId, probability]));
    expect([...chances.keys()]).toEqual(['x:best', 'x:close', 'x:bad', 'x:new0']);
    expect(chances.get('x:bad')).toBe(0);
    expect(chances.get('x:new0')).toBeGreaterThan(0.1);
    expect([...chances.values()].reduce<number>((sum, value) => sum + (value ?? 0), 0)).toBeCloseTo(1, 5);
    expect(chances.get(decision.modelIds[0] ?? '')).toBeCloseTo(decision.propensity, 6);
    expect((await router.route(COFFEE)).candidates).toBe(decision.candidates);
  });

  it('carry none where nothing is left to chance', async () => {
    for (const settings of [{ share: 0 }, { share: 0.3, shadow: true }]) {
      const { candidates } = await engine(settings).route(COFFEE);
      expect(candidates.map(({ modelId, probability }) => [modelId, probability])).toEqual([
        ['x:best', null],
        ['x:close', null],
        ['x:bad', null],
      ]);
    }
  });

  it('stay few among hundreds of models', async () => {
    const router = engine({ share: 0.3, method: 'uniform' }, 300);
    const decision = await router.route(COFFEE);
    expect(decision.candidates).toHaveLength(23);
    expect(encodeDecision('0', 0, decision).length).toBeLessThan(4_000);
  });
});
