import { jsonAnswer } from './json-answer.ts'

/** What has to hold before requests may be sent here, by name. */
export type ReadinessChecks = Readonly<Record<string, boolean>>

/** What `/livez` answers as long as the process answers anything. */
export function aliveAnswer(): Response {
  return jsonAnswer({ status: 'alive' })
}

/**
 * What `/readyz` answers: 200 when all checks hold, else 503. Anybody may read it, so that there is nothing in it but names
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
