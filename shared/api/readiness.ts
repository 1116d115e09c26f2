import { jsonAnswer } from './wire/json-answer.ts'

/** The conditions for sending requests here, by name. */
export type ReadinessChecks = Readonly<Record<string, boolean>>

/** The answer to `/livez` as long as the process answers anything. */
export function aliveAnswer(): Response {
  return jsonAnswer({ status: 'alive' })
}

/**
 * The answer to `/readyz`: 200 when all checks hold, else 503. Anybody may read it, so it contains nothing but names
 * of checks and numbers.
 */
export function readinessAnswer(
  checks: ReadinessChecks,
  more: Readonly<Record<string, object>> = {},
): Response {
  const isReady = Object.values(checks).every(Boolean)
  const status = isReady ? 'ready' : 'not_ready'
  return jsonAnswer({ status, checks, ...more }, isReady ? 200 : 503)
}
