export type SqlValue = string | number | null

/**
 * Synchronous SQLite, as offered by both Durable Objects and Node. Code written against it (keys, revocations,
 * limits, usage) is the same on both platforms.
 */
export interface Sql {
  /** Runs one statement with `?` parameters. @returns its rows */
  all<Row extends Record<string, SqlValue>>(query: string, ...parameters: SqlValue[]): Row[]
  /** Runs `action`; if it throws, none of its changes are kept. */
  transaction<Result>(action: () => Result): Result
}
