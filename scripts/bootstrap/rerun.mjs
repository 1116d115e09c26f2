import { spawn } from 'node:child_process'
import { delimiter, dirname } from 'node:path'
import { isatty } from 'node:tty'

/**
 * Runs this command again with another Node and exits the way that one does. Anything it starts as `node` uses the
 * other Node too.
 * @param {string} node path of the program
 * @returns {Promise<never>}
 */
export async function rerunWith(node) {
  const { NODE_OPTIONS: options = '', PATH: path = '' } = process.env
  const child = spawn(node, process.argv.slice(1), {
    env: {
      ...process.env,
      NODE: node,
      // Not every pinned version treats SQLite and TypeScript as stable.
      NODE_OPTIONS: `${options} --disable-warning=ExperimentalWarning`.trim(),
      PATH: [dirname(node), path].join(delimiter),
    },
    // Through the channel the other process notices when this one is gone, however it ended.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  const inTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor))
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      // Ctrl-C has already reached all processes of the terminal.
      if (signal !== 'SIGINT' || !inTerminal) child.kill(signal)
    })
  }
  return new Promise((_resolve, reject) => {
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      if (signal === null) process.exit(code ?? 1)
      process.removeAllListeners(signal)
      process.kill(process.pid, signal)
    })
  })
}
