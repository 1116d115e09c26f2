import { exit } from 'node:process'

/** The oldest Node that every dependency works on; package.json's "engines" says the same. */
const oldest = [20, 18, 1]

/**
 * Ends the process with a clear message when Node is too old.
 * @param {string} version such as `20.18.1`
 */
export function requireNode(version) {
  const parts = version.split('.').map(Number)
  const difference =
    oldest.map((part, index) => (parts[index] ?? 0) - part).find((d) => d !== 0) ?? 0
  if (difference >= 0) return
  console.error(
    `Describe Server needs Node ${oldest.join('.')} or newer; this is Node ${version}. See https://nodejs.org`,
  )
  exit(1)
}
