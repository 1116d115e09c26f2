import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Command } from 'commander'
import packageJson from '../package.json' with { type: 'json' }
import { formatBytes } from '../shared/progress/amounts.ts'
import { compress } from './pack/compress.ts'
import { stageProduct } from './pack/stage-product.ts'

/** Name of the archive and of the only folder in it. */
const archiveName = `${packageJson.name}-${packageJson.version}-${process.platform}-${process.arch}`

/**
 * `npm run pack`: one file that installs the product on a machine of this kind without internet access: Node, packages,
 * sources and the included model.
 * @returns the exit code
 */
export async function main(given: readonly string[]): Promise<number> {
  const { out } = new Command('npm run pack --')
    .description('Makes an archive that installs without internet access')
    .option('--out <folder>', 'where the archive goes', 'dist')
    .allowExcessArguments(false)
    .parse([...given], { from: 'user' })
    .opts<{ out: string }>()
  const work = await mkdtemp(join(tmpdir(), 'describe-pack-'))
  try {
    await stageProduct(join(work, archiveName))
    console.log('compressing ...')
    const file = resolve(out, `${archiveName}.tar.xz`)
    const bytes = await compress(work, archiveName, file)
    console.log(`${file}: ${formatBytes(bytes)}`)
    return 0
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
