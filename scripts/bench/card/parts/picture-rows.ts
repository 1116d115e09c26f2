import { openWebGpuAccelerator } from '../../../../backend/model/accelerator/webgpu-accelerator.ts'
import { compareOnScenes, widePartings, widestNearTie } from '../../../../test/parity/near-ties.ts'
import type { BenchRow } from '../../measure.ts'

interface PictureOptions {
  readonly modelsDir: string
  /** The most pictures. */
  readonly scenes: number
  /** Milliseconds in which pictures are begun. */
  readonly leftMs: () => number
}

/**
 * The tiny model in 8 bits describes pictures on the card and on the CPU.
 * @throws {Error} when answers part otherwise than at near ties
 */
export async function* pictureRows({
  modelsDir,
  scenes,
  leftMs,
}: PictureOptions): AsyncGenerator<BenchRow> {
  const found = await compareOnScenes(openWebGpuAccelerator(), {
    modelsDir,
    scenes,
    seed: 1,
    goesOn: () => leftMs() > 0,
  })
  const { partings } = found
  const leads = partings.map(({ leads: { exact } }) => Math.abs(exact))
  const widest = Math.max(0, ...leads)
  const others = `others part where float32 leads by at most ${widest.toFixed(2)}`
  yield {
    name: 'drawn pictures, in 8 bits on the card and on the CPU',
    value: `${found.scenes - partings.length} of ${found.scenes} answers equal`,
    ratio:
      partings.length === 0
        ? ''
        : `${others}; rounding reverses ${widestNearTie(found).toFixed(2)}`,
    data: { scenes: found.scenes, partings: partings.length, widest },
  }
  const wide = widePartings(found)
  if (wide.length > 0) {
    const names = wide.map(({ scene, token }) => `${scene} at token ${token}`)
    throw new Error(`answers part otherwise than at near ties: picture ${names.join(', ')}`)
  }
}
