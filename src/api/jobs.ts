import { v7 as uuidv7 } from 'uuid';
import { TallyrankError, toTallyrankError } from '../core/errors.ts';
import type { Progress } from '../core/log.ts';

export type JobKind = 'analyze' | 'rank' | 'edit' | 'judge';

export interface Job {
  readonly id: string;
  readonly kind: JobKind;
  readonly status: 'running' | 'done' | 'failed' | 'cancelled';
  readonly step: string | null;
  readonly doneCount: number;
  /** null: nobody knows how much there is to do. */
  readonly totalCount: number | null;
  readonly startedAt: string;
  readonly endedAt: string | null;
  readonly result: unknown;
  readonly error: { readonly code: string; readonly message: string } | null;
}

interface RunningJob {
  job: Job;
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

export interface JobContext {
  readonly signal: AbortSignal;
  readonly onProgress: Progress;
}

/** Finished jobs that can still be asked about. */
const JOBS_KEPT_MAX = 100;

/** Long work of this process: one of a kind at a time, with progress and cancellation. Kept in memory. */
export class JobBoard {
  readonly #jobs = new Map<string, RunningJob>();
  readonly #onChange: (job: Job) => void;
  readonly #clock: () => number;

  constructor(onChange: (job: Job) => void, clock: () => number = Date.now) {
    this.#onChange = onChange;
    this.#clock = clock;
  }

  /** Starts work in the background; while one of the same kind runs, that one is returned. */
  start(kind: JobKind, work: (context: JobContext) => Promise<unknown>): Job {
    const running = this.running(kind);
    if (running) return running;
    const id = uuidv7();
    const abort = new AbortController();
    const job: Job = {
      id,
      kind,
      status: 'running',
      step: null,
      doneCount: 0,
      totalCount: null,
      startedAt: new Date(this.#clock()).toISOString(),
      endedAt: null,
      result: null,
      error: null,
    };
    const onProgress: Progress = (step, doneCount, totalCount) =>
      this.#change(id, { step, doneCount, totalCount });
    const ended = Promise.resolve()
      .then(() => work({ signal: abort.signal, onProgress }))
      .then(
        (result) => this.#end(id, { status: 'done', result }),
        (error: unknown) => {
          const { code, message } = toTallyrankError(error);
          const status = abort.signal.aborted ? 'cancelled' : 'failed';
          this.#end(id, { status, error: { code, message } });
        },
      );
    this.#jobs.set(id, { job, abort, ended });
    this.#forgetOld();
    this.#onChange(job);
    return job;
  }

  /** The job of this kind that runs now; null when none does. */
  running(kind: JobKind): Job | null {
    const jobs = [...this.#jobs.values()].map(({ job }) => job);
    return jobs.find((job) => job.kind === kind && job.status === 'running') ?? null;
  }

  /** @throws {TallyrankError} `not_found` */
  get(id: string): Job {
    return this.#find(id).job;
  }

  /** Asks a job to stop; it ends as `cancelled` soon after. */
  cancel(id: string): Job {
    const found = this.#find(id);
    found.abort.abort();
    return found.job;
  }

  /** Waits for a job's end and returns it. */
  async ended(id: string): Promise<Job> {
    await this.#find(id).ended;
    return this.#find(id).job;
  }

  /** Stops all that runs and waits for it. */
  async close(): Promise<void> {
    for (const { abort } of this.#jobs.values()) abort.abort();
    await Promise.all([...this.#jobs.values()].map(({ ended }) => ended));
  }

  #find(id: string): RunningJob {
    const found = this.#jobs.get(id);
    if (found) return found;
    throw new TallyrankError(
      'not_found',
      `There is no job ${id.slice(0, 60)}; jobs are forgotten at a restart.`,
    );
  }

  #change(id: string, change: Partial<Job>): void {
    const found = this.#jobs.get(id);
    if (found?.job.status !== 'running') return;
    found.job = { ...found.job, ...change };
    this.#onChange(found.job);
  }

  #end(id: string, change: Partial<Job>): void {
    this.#change(id, { ...change, endedAt: new Date(this.#clock()).toISOString() });
  }

  #forgetOld(): void {
    for (const [id, { job }] of this.#jobs) {
      if (this.#jobs.size <= JOBS_KEPT_MAX) return;
      if (job.status !== 'running') this.#jobs.delete(id);
    }
  }
}
