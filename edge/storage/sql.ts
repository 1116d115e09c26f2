export type SqlValue = string | number | null

/**
 * Synchronous SQLite, as a Durable Object and Node both have it. What is written against it (keys, revocations, limits,
 * ledger) is the same code on both platforms.
 */
export interface Sql {
  /** Runs one statement with `?` parameters. @returns its rows */
  all<Row extends Record<string, SqlValue>>(query: string, ...parameters: SqlValue[]): Row[]
  /** Runs `action`; if it throws, nothing of it is kept. */
  transaction<Result>(action: () => Result): Result
}
