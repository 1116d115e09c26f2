/** Entry of the process that tries the graphics card: a driver that crashes ends only this one. */
import { probeCard } from '../model/accelerator/probe-card.ts'
import { holdsCard } from './device-files.ts'
import type { FromProbe } from './probe.ts'

async function probe(): Promise<FromProbe> {
  const problem = await probeCard()
  if (problem !== undefined) return { problem }
  return { isOpen: true, holdsCard: await holdsCard() }
}

const result = await probe()
process.send?.(result, undefined, undefined, () => process.exit(0))
