import { execFile } from 'node:child_process'
import { chmod, cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../bootstrap/paths.mjs'
import { runNpm } from '../bootstrap/run-npm.mjs'
import { isLeftOut } from './package-files.ts'

/** The product's files and its documentation. */
const parts = [
  'backend',
  'cli',
  'deploy',
  'docs',
  'edge',
  'models/kimi-vl-nano',
  'scripts',
  'shared',
  // The answers that `bench-card` compares a card's with.
  'test/golden',
  'test/parity',
  'test/support',
  '.env.example',
  '.npmrc',
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'package-lock.json',
  'package.json',
  'tsconfig.json',
]

/** As `isLeftOut` expects it. */
export const thisPlatform = `${process.platform}/${process.arch}`

/** Copies everything needed to run the product on a machine of this kind into a folder. */
export async function stageProduct(folder: string): Promise<void> {
  await stageFiles(folder)
  await runNpm(['ci', '--omit=dev', '--ignore-scripts', '--loglevel=error', '--no-audit'], folder, {
    state: () => 'installing production packages',
  })
  await leaveOut(join(folder, 'node_modules'))
}

/** Everything but the packages. */
export async function stageFiles(folder: string): Promise<void> {
  for (const part of parts) {
    await mkdir(dirname(join(folder, part)), { recursive: true })
    await cp(join(root, part), join(folder, part), {
      recursive: true,
      // Packages lie below a part where Node was fetched: see scripts/bootstrap/runtime.
      filter: (source) => !source.endsWith('.test.ts') && basename(source) !== 'node_modules',
    })
  }
  await addRuntime(folder)
}

/** Removes the parts of the packages that an archive for this platform does not need. */
async function leaveOut(packages: string): Promise<void> {
  for (const path of await readdir(packages, { recursive: true })) {
    // The content of a folder that was removed is already gone.
    if (isLeftOut(path, thisPlatform)) {
      await rm(join(packages, path), { recursive: true, force: true })
    }
  }
}

/** This Node, and a command that runs the product with it. */
async function addRuntime(folder: string): Promise<void> {
  const node = join(folder, 'node/bin/node')
  await mkdir(dirname(node), { recursive: true })
  await cp(process.execPath, node)
  await stripSymbols(node)
  const command = join(folder, 'describe-server')
  await writeFile(command, commandText(relative(folder, node)))
  await chmod(command, 0o755)
}

/**
 * Debug symbols make up 18 MB of Node. They are kept where binutils is not installed, and on platforms that sign
 * programs.
 */
async function stripSymbols(file: string): Promise<void> {
  if (process.platform !== 'linux') return
  const names = ['--strip-unneeded', file]
  await promisify(execFile)('strip', names).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
}

function commandText(node: string): string {
  return [
    '#!/bin/sh',
    '# Usage: ./describe-server start|backend|bench-card|describe|edge [arguments]',
    'root=$(dirname "$(readlink -f "$0")")',
    `PATH="$root/${dirname(node)}:$PATH"`,
    'export PATH',
    'exec node "$root/scripts/pack/packed.mjs" "$@"',
    '',
  ].join('\n')
}
