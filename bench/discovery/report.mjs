// Tables as they grow, and all of them as JSON at the end.
import { availableParallelism, cpus, loadavg } from 'node:os';

export const figure = (value) => (value === null ? '–' : value.toFixed(3));
export const percent = (share) => (share === null ? '–' : `${(100 * share).toFixed(1)} %`);
export const seconds = (value) => (value === null ? '–' : `${value.toFixed(1)} s`);
export const micros = (value) => (value === null ? '–' : `${value.toFixed(1)} µs`);
export const megabytes = (value) => (value === null ? '–' : `${value.toFixed(0)} MB`);
export const plain = (value) => (value === null ? '–' : String(value));

/** Processes that want a core just now: above the number of cores, timings are upper bounds. */
export const loadNow = () => Number(loadavg()[0].toFixed(1));

export class Report {
  #tables = {};
  #late = [];
  #isJson;
  #command;

  constructor({ isJson, command }) {
    this.#isJson = isJson;
    this.#command = command;
  }

  /** Words for people: never among the data. */
  say(text) {
    if (this.#isJson) console.error(text);
    else console.log(text);
  }

  /**
   * Begins a table; the answer adds a row. Rows are printed as they come, those of a late table by {@link printLate}.
   *
   * @param columns  `[heading, field, format]`, in order
   */
  table(name, title, columns, { isLate = false } = {}) {
    const rows = [];
    this.#tables[name] = { title, rows };
    const print = (row, isFirst) => {
      if (isFirst) {
        this.say(`\n${title}\n`);
        this.say(`| ${columns.map(([heading]) => heading).join(' | ')} |`);
        this.say(`|${columns.map(() => '---').join('|')}|`);
      }
      this.say(`| ${columns.map(([, field, format = plain]) => format(row[field] ?? null)).join(' | ')} |`);
    };
    if (isLate) {
      this.#late.push(() => {
        for (const [at, row] of rows.entries()) print(row, at === 0);
      });
    }
    return (row) => {
      rows.push(row);
      if (!isLate) print(row, rows.length === 1);
    };
  }

  /** Tables whose rows came between those of another one. */
  printLate() {
    for (const print of this.#late.splice(0)) print();
  }

  rowsOf(name) {
    return this.#tables[name]?.rows ?? [];
  }

  /** Without paths: figures are shared. */
  end() {
    if (!this.#isJson) return;
    const machine = {
      cpu: cpus()[0]?.model ?? null,
      coreCount: availableParallelism(),
      node: process.version,
      load: loadNow(),
    };
    console.log(
      JSON.stringify(
        { command: this.#command, at: new Date().toISOString(), machine, tables: this.#tables },
        null,
        2,
      ),
    );
  }
}
