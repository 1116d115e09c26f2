import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'

/**
 * Runs `npm ci` unless node_modules already holds what package-lock.json asks for.
 * @throws {Error} when npm fails
 */
export function installIfNeeded() {
  if (isInstalled()) return
  console.log('Installing packages (only needed once) ...')
  // The same npm that runs this script, where it was started by one. Dev packages too: they build and start the product.
  const npm = process.env.npm_execpath ?? ''
  const [command, first] = basename(npm) === 'npm-cli.js' ? [process.execPath, [npm]] : ['npm', []]
  const { status, error } = spawnSync(
    command,
    [...first, 'ci', '--include=dev', '--loglevel=error'],
    // npm's own chatter belongs to standard error: our last line of output has a meaning.
    { stdio: ['ignore', 2, 2] },
  )
  if (status === 0) return
  throw new Error(`Installing packages failed: npm ci ${error?.message ?? `ended with ${status}`}`)
}

/**
 * Compares package-lock.json with the record npm keeps of what it really installed. Optional packages may be
 * missing, most of them are for other platforms.
 */
function isInstalled() {
  const wanted = readPackages('package-lock.json')
  const installed = readPackages('node_modules/.package-lock.json')
  if (wanted === undefined || installed === undefined) return false
  return (
    Object.entries(wanted).every(
      ([path, entry]) =>
        path === '' || entry.optional || installed[path]?.integrity === entry.integrity,
    ) &&
    Object.values(installed).every(({ os }) => os === undefined || os.includes(process.platform))
  )
}

/**
 * @param {string} path
 * @returns {Record<string, { integrity?: string, optional?: boolean, os?: string[] }> | undefined}
 */
function readPackages(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages
  } catch {
    return undefined
  }
}
