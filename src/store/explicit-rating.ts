/**
 * SQL: what somebody said of a request, over its signals: feedback, else an imported score; NULL for nothing. Wherever a
 * rating counts, it is this one.
 */
export const EXPLICIT_RATING = `coalesce(
      anyIf(toNullable(value), kind = 'feedback'),
      anyIf(toNullable(value), kind = 'imported_score')
    )`;
