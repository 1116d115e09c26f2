import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { runWrangler } from '../support/run-wrangler.ts'
import { takeNoArguments } from '../support/take-no-arguments.ts'
import { writeAtomically } from './write-atomically.ts'

/** Files that determine the content of the Worker bundle. */
const workerInputs = ['edge', 'shared', 'wrangler.toml', 'tsconfig.json', 'package-lock.json']
const workerBundle = 'dist/worker/worker.js'

/** `npm run build`: bundles the Worker into dist/. @returns the exit code */
export async function main(given: readonly string[]): Promise<number> {
  takeNoArguments('npm run build', 'Bundles the Worker', given)
  console.log(await buildWorker())
  return 0
}

/** Milliseconds after which a bundle is not being made any more: that takes seconds. */
const abandonedMs = 10 * 60_000

/**
 * Bundles the Worker exactly as a deployment would, unless the existing bundle was made from the same inputs.
 * @param signal ends it
 * @returns path of the bundle
 * @throws {Error} with wrangler's output when it fails
 */
export async function buildWorker(signal?: AbortSignal): Promise<string> {
  const stamp = `\n// built from ${await hashOf(workerInputs)}\n`
  const present = await readFile(workerBundle, 'utf8').catch(() => '')
  if (present.endsWith(stamp)) return workerBundle
  await makeFolder('dist')
  await removeAbandoned(Date.now() - abandonedMs)
  const folder = await mkdtemp('dist/worker-')
  try {
    await runWrangler(['deploy', '--dry-run', '--env=', '--outdir', folder], signal)
    await writeAtomically(`${workerBundle}.map`, await readFile(join(folder, 'main.js.map')))
    const bundle = await readFile(join(folder, 'main.js'), 'utf8')
    await writeAtomically(workerBundle, bundle + stamp)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return workerBundle
}

/** Removes what builds that were killed have left in dist/. @param before milliseconds since 1970 */
async function removeAbandoned(before: number): Promise<void> {
  const names = (await readdir('dist')).filter((name) => name.startsWith('worker-'))
  for (const path of names.map((name) => join('dist', name))) {
    const found = await stat(path).catch(() => undefined)
    const isAbandoned = found !== undefined && found.mtimeMs < before
    if (isAbandoned) await rm(path, { recursive: true, force: true })
  }
}

/** Unlike a recursive `mkdir`, names the reason where the parent is read-only. */
async function makeFolder(path: string): Promise<void> {
  await mkdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error
  })
}

/** SHA-256 over the paths and contents of `files`, including everything below folders among them except tests. */
async function hashOf(files: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  for (const file of files) {
    for (const path of await filesBelow(file)) {
      hash
        .update(`${path}\0`)
        .update(await readFile(path))
        .update('\0')
    }
  }
  return hash.digest('hex')
}

async function filesBelow(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true, recursive: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOTDIR') return undefined
      throw error
    },
  )
  if (entries === undefined) return [path]
  return entries
    .filter((entry) => entry.isFile() && !entry.name.includes('.test.'))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
}
