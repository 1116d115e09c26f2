import { installPackages } from './install.mjs'
import { isSupported } from './node-version.mjs'
import { rerunWith } from './rerun.mjs'
import { installRuntime } from './runtime.mjs'
import { Interrupted } from './run-npm.mjs'

/**
 * Returns once this process runs on a suitable Node with all packages in place. On an older Node it fetches a newer
 * one and reruns the command there; in that case, and when it fails or a signal arrives, this process ends here.
 * @param {{ withDevelopment: boolean }} wanted whether packages for development are needed too
 */
export async function prepare(wanted) {
  try {
    if (!isSupported(process.versions.node)) await rerunWith(await installRuntime())
    await installPackages(wanted)
  } catch (error) {
    if (error instanceof Interrupted) process.exit(error.exitCode)
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  }
}
