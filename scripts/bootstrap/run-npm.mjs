import { spawn } from 'node:child_process'
import { basename } from 'node:path'

/** A signal ended npm and must end this process too. */
export class Interrupted extends Error {
  /** @param {'SIGINT' | 'SIGTERM' | 'SIGHUP'} signal */
  constructor(signal) {
    super(`Ended by ${signal}`)
    this.name = 'Interrupted'
    this.exitCode = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }[signal]
  }
}

/** Milliseconds between two lines of progress: nobody should wonder for longer whether anything happens. */
const defaultIntervalMs = 5_000

const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])

/**
 * Runs npm: the one that runs this script, if there is one. A signal to terminate is passed to npm, which gets the
 * time to remove partial work, so that nothing is left running.
 * @param {readonly string[]} npmArguments
 * @param {string} cwd
 * @param {{ state: () => string, intervalMs?: number }} progress what is said about it every now and then, before the
 *   seconds it has taken
 * @throws {Interrupted} after a signal
 * @throws {Error} when npm fails
 */
export async function runNpm(npmArguments, cwd, { state, intervalMs = defaultIntervalMs }) {
  const npm = process.env.npm_execpath ?? ''
  const [command, first] = basename(npm) === 'npm-cli.js' ? [process.execPath, [npm]] : ['npm', []]
  // Its own display would get in the way of these lines, and shows nothing at all outside a terminal.
  const child = spawn(command, [...first, ...npmArguments, '--no-progress'], {
    cwd,
    // In a group of its own. Otherwise npm would get the terminal's Ctrl-C as well as ours, and a second signal makes
    // it quit without cleaning up.
    detached: true,
    // npm's output goes to standard error, because our last line of standard output has a meaning.
    stdio: ['ignore', 2, 2],
  })
  /** @type {(typeof signals)[number] | undefined} */
  let received
  const passOn = (/** @type {(typeof signals)[number]} */ signal) => {
    if (received !== undefined) return
    received = signal
    console.error('\nStopping the installation ...')
    child.kill(signal)
  }
  for (const signal of signals) process.on(signal, passOn)
  const startedAt = performance.now()
  const reporting = setInterval(() => {
    const seconds = Math.round((performance.now() - startedAt) / 1_000)
    if (received === undefined) console.error(`${state()}, ${seconds} s`)
  }, intervalMs)
  try {
    const problem = await new Promise((resolve) => {
      child.on('error', (error) => resolve(error.message))
      child.on('close', (code, signal) =>
        resolve(code === 0 ? undefined : `ended with ${code ?? signal}`),
      )
    })
    if (received !== undefined) throw new Interrupted(received)
    if (problem !== undefined) throw new Error(`Installing packages failed: npm ci ${problem}`)
  } finally {
    clearInterval(reporting)
    for (const signal of signals) process.off(signal, passOn)
  }
}
