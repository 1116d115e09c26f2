import { countExtracted, isInstalled } from './installed.mjs'
import { root } from './paths.mjs'
import { runNpm } from './run-npm.mjs'

/**
 * Runs `npm ci` unless node_modules already holds what package-lock.json asks for.
 * @param {{ withDevelopment: boolean }} wanted
 * @throws {Error} when npm fails or a signal ends it
 */
export async function installPackages(wanted) {
  if (isInstalled(root, wanted)) return
  console.error('Installing packages (only needed once, about 300 MB) ...')
  // Includes development packages; to do without them, run `npm ci --omit=dev` first.
  await runNpm(['ci', '--include=dev', '--loglevel=error'], root, {
    state() {
      const { present, all } = countExtracted(root)
      return `  ${present} of ${all} packages`
    },
  })
}
