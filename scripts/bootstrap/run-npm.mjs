import { spawn } from 'node:child_process'
import { basename } from 'node:path'

/** A signal ended npm, and shall end this process. */
export class Interrupted extends Error {
  /** @param {'SIGINT' | 'SIGTERM' | 'SIGHUP'} signal */
  constructor(signal) {
    super(`Ended by ${signal}`)
    this.name = 'Interrupted'
    this.exitCode = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 }[signal]
  }
}

const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])

/**
 * Runs npm: the same that runs this script, where it was started by one. A signal to end is handed to npm, and npm waited
 * for: it removes what is half done, and nothing is left running.
 * @param {readonly string[]} npmArguments
 * @param {string} cwd
 * @throws {Interrupted} after a signal
 * @throws {Error} when npm fails
 */
export async function runNpm(npmArguments, cwd) {
  const npm = process.env.npm_execpath ?? ''
  const [command, first] = basename(npm) === 'npm-cli.js' ? [process.execPath, [npm]] : ['npm', []]
  const child = spawn(command, [...first, ...npmArguments], {
    cwd,
    // A group of its own: the terminal's Ctrl-C would reach npm beside ours, and the second makes it leave its work undone.
    detached: true,
    // npm's own chatter belongs to standard error: our last line of output has a meaning.
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
    for (const signal of signals) process.off(signal, passOn)
  }
}
