/**
 * A question as it was put to the store, so that an operator can put it again and get the same rows: the text
 * and what is bound to its `{name:Type}` places. Holds no secret and no prompt.
 */
export interface StoredQuery {
  readonly sql: string;
  readonly params: Readonly<Record<string, string | number>>;
}
