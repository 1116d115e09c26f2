import type { Sql, SqlValue } from '../../storage/sql.ts'

/** The SQLite of a Durable Object. */
export function objectSql(storage: DurableObjectStorage): Sql {
  return {
    all: <Row extends Record<string, SqlValue>>(query: string, ...parameters: SqlValue[]) =>
      storage.sql.exec<Row>(query, ...parameters).toArray(),
    transaction: (action) => storage.transactionSync(action),
  }
}
