// Bundles the programs into dist/. Run alone: `node scripts/build.mjs`.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

/** Program -> its entry file. Programs find each other by these names inside dist/. */
const entryPoints = {
  'backend/main': 'backend/main.ts',
  'backend/inference': 'backend/inference/child.ts',
  'backend/text-worker': 'backend/processor/text-worker.ts',
  'backend/image-process': 'backend/processor/image-process/image-process.ts',
  'cli/describe': 'cli/describe.ts',
  'edge/node': 'edge/node/main.ts',
  'scripts/bench': 'scripts/bench.ts',
  'scripts/load': 'scripts/load.ts',
  'scripts/start': 'scripts/start.ts',
  'scripts/deploy': 'scripts/deploy.ts',
  'scripts/bench-edge': 'scripts/bench-edge.ts',
  'scripts/bare-node': 'scripts/bench-edge/bare-node.ts',
  'scripts/bare-worker': 'scripts/bench-edge/bare-worker.ts',
  'scripts/paced-backend': 'scripts/bench-edge/paced-backend.ts',
  'scripts/worker-edge': 'scripts/start/worker-edge.ts',
  'scripts/soak': 'scripts/soak.ts',
  'scripts/test': 'scripts/test.ts',
}

/** Files that decide what the Worker bundle holds. */
const workerInputs = ['edge', 'shared', 'wrangler.toml', 'tsconfig.json', 'package-lock.json']
const workerBundle = 'dist/worker/worker.js'

/** Keeps wrangler from calling anyone, and from asking the registry whether there is a newer one. */
const offlineWrangler = {
  CI: '1',
  CLOUDFLARE_CF_FETCH_ENABLED: 'false',
  WRANGLER_HIDE_BANNER: 'true',
  WRANGLER_LOG_PATH: '.wrangler/logs',
  WRANGLER_SEND_ERROR_REPORTS: 'false',
  WRANGLER_SEND_METRICS: 'false',
}

/** Bundles every Node program. A file whose content stays the same is not touched: a running server may be reading it. */
export async function buildNodePrograms() {
  const esbuild = await import('esbuild')
  const { outputFiles } = await esbuild.build({
    entryPoints,
    outdir: 'dist',
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    sourcemap: true,
    sourcesContent: false,
    logLevel: 'warning',
  })
  await Promise.all(outputFiles.map(({ path, contents }) => writeIfChanged(path, contents)))
}

/** @param {string} path @param {Uint8Array} contents */
async function writeIfChanged(path, contents) {
  const present = await readFile(path).catch(() => undefined)
  if (present?.equals(contents)) return
  await writeAtomically(path, contents)
}

/** @param {string} path @param {Uint8Array | string} contents */
async function writeAtomically(path, contents) {
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.${process.pid}`
  // A command, to be run by its name.
  const isCommand = Buffer.from(contents).toString('latin1', 0, 2) === '#!'
  await writeFile(temporary, contents, { mode: isCommand ? 0o755 : 0o644 })
  await rename(temporary, path)
}

/**
 * Bundles the Worker exactly as a deployment would, unless the bundle at hand was made from the same inputs.
 * @returns {Promise<string>} path of the bundle
 * @throws {Error} with wrangler's output when it fails
 */
export async function buildWorker() {
  const stamp = `\n// built from ${await hashOf(workerInputs)}\n`
  const present = await readFile(workerBundle, 'utf8').catch(() => '')
  if (present.endsWith(stamp)) return workerBundle
  await mkdir('dist', { recursive: true })
  const folder = await mkdtemp('dist/worker-')
  try {
    await runWrangler(['deploy', '--dry-run', '--env=', '--outdir', folder])
    await writeAtomically(`${workerBundle}.map`, await readFile(join(folder, 'main.js.map')))
    const bundle = await readFile(join(folder, 'main.js'), 'utf8')
    await writeAtomically(workerBundle, bundle + stamp)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return workerBundle
}

/**
 * SHA-256 over paths and contents of `files` and of all that lies in folders among them, tests left out.
 * @param {readonly string[]} files
 */
async function hashOf(files) {
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

/** @param {string} path @returns {Promise<string[]>} */
async function filesBelow(path) {
  const entries = await readdir(path, { withFileTypes: true, recursive: true }).catch((error) => {
    if (error.code === 'ENOTDIR') return undefined
    throw error
  })
  if (entries === undefined) return [path]
  return entries
    .filter((entry) => entry.isFile() && !entry.name.includes('.test.'))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted()
}

/**
 * @param {readonly string[]} commandArguments
 * @returns {Promise<string>} what it printed as its result
 * @throws {Error} with all it printed when it fails
 */
export function runWrangler(commandArguments) {
  const wrangler = resolve('node_modules/wrangler/bin/wrangler.js')
  const child = spawn(process.execPath, [wrangler, ...commandArguments], {
    env: { ...process.env, ...offlineWrangler },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let result = ''
  child.stdout.setEncoding('utf8').on('data', (text) => (result += text))
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => (output += text))
  }
  return new Promise((done, fail) => {
    child.on('error', fail)
    child.on('close', (code) => {
      if (code === 0) done(result)
      else fail(new Error(`wrangler ${commandArguments[0]} failed:\n${output.trim()}`))
    })
  })
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await Promise.all([buildNodePrograms(), buildWorker()])
}
