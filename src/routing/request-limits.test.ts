import { describe, expect, it } from 'vitest';
import { registryOf, rowOf, snapshotOf } from '../../tests/kit/routing-models.ts';
import { ModelCatalog, plainModel } from '../core/model-catalog.ts';
import type { RequestLimits } from '../core/request-limits.ts';
import { RoutingEngine } from './routing-engine.ts';
import { SnapshotHolder } from './snapshot-holder.ts';

const COSTS = { 'ollama:small': 0, 'openai:cheap': 0.0002, 'openai:dear': 0.02, 'azure:cheap': 0.0002 };

function limitsOf(given: Partial<RequestLimits>): RequestLimits[] {
  const none = {
    allowModels: null,
    denyModels: null,
    costMaxUsd: null,
    latencyMaxMs: null,
    isLocalOnly: false,
  };
  return [{ origin: 'the request', ...none, ...given }];
}

function engineOf(share = 0): RoutingEngine {
  const models = Object.keys(COSTS).map((id) => plainModel(id, { isLocal: id.startsWith('ollama') }));
  const registry = { ...registryOf(COSTS), catalog: new ModelCatalog(models) };
  const rows = [
    { ...rowOf('openai:dear', { quality: 0.95, spread: 0.02, costUsd: 0.02 }), latencyP95Ms: 9_000 },
    { ...rowOf('openai:cheap', { quality: 0.94, spread: 0.02, costUsd: 0.0002 }), latencyP95Ms: 2_000 },
    { ...rowOf('ollama:small', { quality: 0.7, spread: 0.02 }), latencyP95Ms: 4_000 },
  ];
  return new RoutingEngine(registry, {
    snapshots: new SnapshotHolder(snapshotOf(rows)),
    exploration: { share },
  });
}

async function idsFor(limits: RequestLimits[], engine = engineOf()): Promise<readonly string[]> {
  return (await engine.route({ content: 'When does it open?', model: 'auto', limits })).modelIds;
}

describe('needs that no model of auto is known to meet', () => {
  const none = { needsTools: false, needsImages: false, promptTokens: null };

  it.each([
    ['images', { ...none, needsImages: true }],
    ['sound', { ...none, needsAudio: true }],
    ['files and tools together', { ...none, needsFiles: true, needsTools: true }],
  ])('are the caller’s to change: %s', async (words, needs) => {
    const asked = engineOf().route({ content: 'What is it?', model: 'auto', needs });
    await expect(asked).rejects.toMatchObject({
      code: 'bad_request',
      param: 'messages',
      message: expect.stringContaining(`is known to serve ${words};`),
    });
  });
});

describe('limits of a request', () => {
  it('leave only the allowed models, a bare name meaning all that have it', async () => {
    expect(await idsFor(limitsOf({ allowModels: ['openai:dear'] }))).toEqual(['openai:dear']);
    expect([...(await idsFor(limitsOf({ allowModels: ['cheap'] })))].sort()).toEqual([
      'azure:cheap',
      'openai:cheap',
    ]);
  });

  it('leave out the denied models, fallbacks included, and all of a provider', async () => {
    expect([...(await idsFor(limitsOf({ denyModels: ['openai:*'] })))].sort()).toEqual([
      'azure:cheap',
      'ollama:small',
    ]);
    expect(await idsFor(limitsOf({ denyModels: ['cheap', 'dear'] }))).toEqual(['ollama:small']);
  });

  it('leave only local models', async () => {
    expect(await idsFor(limitsOf({ isLocalOnly: true }))).toEqual(['ollama:small']);
  });

  it('leave out what costs more, measured or by the list', async () => {
    expect(await idsFor(limitsOf({ costMaxUsd: 0.001 }))).not.toContain('openai:dear');
    expect(await idsFor(limitsOf({ costMaxUsd: 0 }))).toEqual(['ollama:small']);
  });

  it('leave out what is slower, and keep what nobody timed', async () => {
    const ids = await idsFor(limitsOf({ latencyMaxMs: 3_000 }));
    expect([...ids].sort()).toEqual(['azure:cheap', 'openai:cheap']);
  });

  it('say which of them left nobody', async () => {
    await expect(idsFor(limitsOf({ isLocalOnly: true, denyModels: ['small'] }))).rejects.toMatchObject({
      code: 'no_candidate',
      message: expect.stringContaining('the denied models of the request'),
    });
    await expect(idsFor(limitsOf({ costMaxUsd: -1 }))).rejects.toThrow('the price ceiling of the request');
  });

  it('name themselves in the rows of the decision', async () => {
    const { candidates } = await engineOf().route({
      content: 'x',
      model: 'auto',
      limits: limitsOf({ denyModels: ['dear'] }),
    });
    const row = candidates.find(({ modelId }) => modelId === 'openai:dear');
    expect(row).toMatchObject({ isCandidate: false, reason: 'kept out by the denied models of the request' });
  });

  it('hold for a named model as far as they name it, and ceilings do not', async () => {
    const engine = engineOf();
    const route = (given: Partial<RequestLimits>) =>
      engine.route({ content: 'x', model: 'openai:dear', limits: limitsOf(given) });
    await expect(route({ denyModels: ['dear'] })).rejects.toMatchObject({
      code: 'forbidden',
      param: 'model',
    });
    await expect(route({ isLocalOnly: true })).rejects.toMatchObject({ code: 'forbidden' });
    expect((await route({ costMaxUsd: 0, latencyMaxMs: 1 })).modelIds).toEqual(['openai:dear']);
  });

  it('hold for what rules of code choose', async () => {
    const engine = engineOf();
    engine.addRule(
      'always dear',
      200,
      () => true,
      () => ['openai:dear', 'openai:cheap'],
    );
    expect(await idsFor(limitsOf({ denyModels: ['dear'] }), engine)).toEqual(['openai:cheap']);
  });

  it('leave probabilities to the models that are left, adding up to one', async () => {
    const engine = engineOf(0.5);
    let drawnCount = 0;
    for (let at = 0; at < 200; at++) {
      const { candidates, modelIds, propensity } = await engine.route({
        content: 'x',
        model: 'auto',
        limits: limitsOf({ denyModels: ['dear'] }),
      });
      const dear = candidates.find(({ modelId }) => modelId === 'openai:dear');
      expect(dear?.probability ?? 0).toBe(0);
      expect(modelIds).not.toContain('openai:dear');
      expect(propensity).toBeGreaterThan(0);
      const sum = candidates.reduce((total, { probability }) => total + (probability ?? 0), 0);
      if (candidates.every(({ probability }) => probability === null)) continue;
      drawnCount++;
      expect(sum).toBeCloseTo(1, 4);
    }
    expect(drawnCount).toBeGreaterThan(100);
  });
});
