import type {
  CounterConfiguration,
  HistogramConfiguration,
  MetricObjectWithValues,
  MetricType,
  MetricValueWithName,
} from 'prom-client';
import { Counter, Histogram } from 'prom-client';

/*
 * Metrics of the hot path. prom-client checks, sorts and joins the labels of every single observation, which costs more
 * than a request's whole way through the router; here the sums are kept under a short key and given to it when somebody
 * scrapes. Keys come from closed sets, as labels do.
 */

export type Labels = Readonly<Record<string, string>>;

const MS_PER_SECOND = 1_000;
/** prom-client declares an enum that it does not have. */
const HISTOGRAM = 'histogram' as unknown as MetricType;

/** A counter that prom-client learns of at each scrape. */
export class SummedCounter {
  readonly #cells = new Map<string, { readonly labels: Labels; sum: number }>();

  constructor(configuration: CounterConfiguration<string>) {
    const cells = this.#cells;
    new Counter({
      ...configuration,
      collect() {
        for (const cell of cells.values()) {
          this.inc(cell.labels, cell.sum);
          cell.sum = 0;
        }
      },
    });
  }

  /**
   * @param key       equal for equal labels
   * @param value     null: not known, and not counted
   * @param labelsOf  asked at the first sight of a key
   */
  add<Subject>(
    key: string,
    value: number | null,
    subject: Subject,
    labelsOf: (subject: Subject) => Labels,
  ): void {
    if (value === null) return;
    const cell = this.#cells.get(key);
    if (cell === undefined) this.#cells.set(key, { labels: labelsOf(subject), sum: value });
    else cell.sum += value;
  }
}

interface Bins {
  readonly labels: Labels;
  /** By upper bound, and one for all beyond; not cumulative. */
  readonly counts: Float64Array;
  sumSeconds: number;
}

/** A histogram of seconds that is observed in milliseconds; prom-client's own observations are not used. */
export class BinnedHistogram extends Histogram {
  readonly #configuration: HistogramConfiguration<string>;
  readonly #bounds: readonly number[];
  readonly #cells = new Map<string, Bins>();

  constructor(configuration: HistogramConfiguration<string> & { readonly buckets: number[] }) {
    super(configuration);
    this.#configuration = configuration;
    this.#bounds = configuration.buckets;
  }

  /** @param valueMs  null: not known, and not counted */
  observeMs<Subject>(
    key: string,
    valueMs: number | null,
    subject: Subject,
    labelsOf: (subject: Subject) => Labels,
  ): void {
    if (valueMs === null) return;
    let bins = this.#cells.get(key);
    if (bins === undefined) {
      bins = { labels: labelsOf(subject), counts: new Float64Array(this.#bounds.length + 1), sumSeconds: 0 };
      this.#cells.set(key, bins);
    }
    const seconds = valueMs / MS_PER_SECOND;
    let at = 0;
    while (at < this.#bounds.length && seconds > (this.#bounds[at] as number)) at++;
    bins.counts[at] = (bins.counts[at] as number) + 1;
    bins.sumSeconds += seconds;
  }

  override async get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    const { name, help, aggregator } = this.#configuration;
    const values = [...this.#cells.values()].flatMap((bins) => this.#valuesOf(bins));
    return {
      name,
      help,
      type: HISTOGRAM,
      aggregator: aggregator ?? 'sum',
      values,
      collect: () => undefined,
    };
  }

  /** What prom-client calls for the text form. */
  getForPromString(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    return this.get();
  }

  #valuesOf({ labels, counts, sumSeconds }: Bins): MetricValueWithName<string>[] {
    const { name } = this.#configuration;
    let count = 0;
    const buckets = [...this.#bounds, '+Inf'].map((le, at) => {
      count += counts[at] as number;
      return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: count };
    });
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels: { ...labels }, value: sumSeconds },
      { metricName: `${name}_count`, labels: { ...labels }, value: count },
    ];
  }
}
