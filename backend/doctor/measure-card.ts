import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { CardFacts } from './card-facts.ts'

/** Milliseconds: a measurement of a second, on a driver that may be slow. */
const patienceMs = 60_000

const entry = fileURLToPath(new URL('./card-child.ts', import.meta.url))

/**
 * Measures a card in a process of its own, which a driver may take with it.
 * @param kind what computes; a driver that computes on the CPU is asked for less
 * @returns undefined when the card could not be measured
 */
export function measureCard(
  kind: 'hardware' | 'software',
  environment: Readonly<Record<string, string | undefined>>,
): Promise<CardFacts | undefined> {
  return new Promise((resolve) => {
    const child = fork(entry, [kind], {
      env: environment,
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      timeout: patienceMs,
      killSignal: 'SIGKILL',
    })
    // Facts arrive as they are found: the last attempt may take the process with it.
    let facts: CardFacts | undefined
    child.on('message', (message: CardFacts) => (facts = message))
    child.on('error', () => resolve(undefined))
    child.on('close', () => resolve(facts))
  })
}
