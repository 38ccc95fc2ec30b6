/** The part of a logger that rooms use; pino fits. Facts go into `fields`, never prompts, answers or keys. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Progress of long work: `done` of `total` steps (null: unknown), and what is being done, in a few words. */
export type Progress = (step: string, done: number, total: number | null) => void;
