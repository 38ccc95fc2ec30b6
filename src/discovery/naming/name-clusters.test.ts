import { describe, expect, it } from 'vitest';
import { StarterClassifier } from '../../core/starter-taxonomy.ts';
import { nameClusters } from './name-clusters.ts';

const starter = new StarterClassifier();

describe('nameClusters', () => {
  it('names clusters after what sets them apart, with keywords', () => {
    const [solar, knitting] = nameClusters(
      [
        [
          'How do solar panels work at night?',
          'clean solar panels',
          'solar panel angle in winter',
          'are solar panels recyclable',
        ],
        [
          'How do I knit a scarf?',
          'knitting pattern for a scarf',
          'scarf knitting needles',
          'how do I fix a dropped stitch',
        ],
      ],
      starter,
    );
    expect(solar?.name).toMatch(/solar panel/i);
    expect(solar?.slug).toMatch(/^solar_panel/);
    expect(knitting?.keywords.join(' ')).toMatch(/scarf/);
    expect(knitting?.keywords.join(' ')).not.toMatch(/\bhow\b|\bdo\b/);
  });

  it('takes the starter name where a cluster clearly is that use case', () => {
    const [food, other] = nameClusters(
      [
        [
          'recipe for lasagna',
          'a good pizza restaurant near the station',
          'how do I cook rice',
          'vegan dessert recipes',
        ],
        ['bridge load limits', 'steel bridge corrosion', 'inspect a bridge', 'suspension bridge cables'],
      ],
      starter,
    );
    expect(food).toMatchObject({ name: 'Food & Dining', slug: 'food_dining' });
    expect(other?.name).toMatch(/bridge/i);
  });

  it('gives no two the same title or slug', () => {
    const same = ['zebra stripes', 'zebra stripes', 'zebra stripes'];
    const names = nameClusters([same, same, same], starter);
    expect(new Set(names.map(({ slug }) => slug)).size).toBe(3);
    expect(new Set(names.map(({ name }) => name)).size).toBe(3);
  });

  it('finds a name for clusters without any telling word', () => {
    const names = nameClusters([['the of and', '?'], []], starter);
    expect(names.every(({ name, slug }) => name !== '' && slug !== '')).toBe(true);
  });

  it('keeps other scripts', () => {
    const [named] = nameClusters([['погода в москве', 'погода завтра', 'прогноз погода'], ['x y']], starter);
    expect(named?.slug).toMatch(/погода/);
  });
});
