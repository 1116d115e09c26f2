/**
 * `node scripts/gpu/near-ties.ts [pictures] [seed]`: lets nano describe drawn pictures in 8 bits on the graphics card
 * and on the CPU, and shows where and how narrowly their answers diverge. Exits with 1 if they diverge anywhere but at
 * near ties.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openWebGpuAccelerator } from '../../backend/model/accelerator/webgpu-accelerator.ts'
import { compareOnScenes, quantile, widePartings } from '../../test/parity/near-ties.ts'

const [scenes = 100, seed = 1] = process.argv.slice(2).map(Number)
const modelsDir = await mkdtemp(join(tmpdir(), 'near-ties-'))
const found = await compareOnScenes(openWebGpuAccelerator(), { modelsDir, scenes, seed })
await rm(modelsDir, { recursive: true })
const { partings, leads, errors } = found
const shares = [0.01, 0.5, 0.9, 0.99, 1]
const row = (name: string, numbers: readonly number[]) =>
  `${name} ${shares.map((share) => quantile(numbers, share).toFixed(3)).join('  ')}`
console.log(`${scenes - partings.length} of ${scenes} answers equal, ${leads.length} tokens`)
console.log(row(`lead of the likeliest token, quantiles ${shares.join(', ')}:`, leads))
console.log(row('error of the lead on the CPU:', errors.first))
console.log(row('error of the lead on the card:', errors.second))
for (const { scene, token, leads: lead } of partings) {
  const parts = [`CPU ${lead.first.toFixed(3)}`, `card ${lead.second.toFixed(3)}`]
  console.log(
    `picture ${scene}, token ${token}: ${parts.join(', ')}, float32 ${lead.exact.toFixed(3)}`,
  )
}
process.exitCode = widePartings(found).length === 0 ? 0 : 1
