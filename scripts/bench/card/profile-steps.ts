import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { InferenceSession } from 'onnxruntime-node'
import { openWebGpuAccelerator } from '../../../backend/model/accelerator/webgpu-accelerator.ts'
import type { Decoder } from '../../../backend/model/deepseek/decoder-part.ts'
import type { BenchRow } from '../measure.ts'
import { percent } from '../text.ts'
import type { OpenCard } from './open-card.ts'
import type { RandomDecoder } from './random-decoder.ts'
import { readRunProfile, type RunProfile } from './step-profile.ts'

/** Runs of each kind; the first compiles what the card executes. */
const runs = 4

/** What is run: one new token for each of several sequences, or a piece of a prompt. */
export interface StepKind {
  readonly name: string
  readonly sequences: number
  readonly tokens: number
}

/**
 * Runs steps of one kind with the card's own weights, in sessions that note each launch. Slower than without, so the
 * times are for comparing parts with each other.
 */
export async function profileStep(
  { decoder, memory }: Pick<OpenCard, 'decoder' | 'memory'>,
  kind: StepKind,
): Promise<RunProfile> {
  const folder = await mkdtemp(join(tmpdir(), 'card-profile-'))
  const card = openWebGpuAccelerator({ profilePrefix: join(folder, 'session') })
  const sessions: InferenceSession[] = []
  const opener = {
    async open(graph: Parameters<typeof card.open>[0]) {
      const session = await card.open(graph)
      sessions.push(session)
      return session
    },
  }
  try {
    const opened = await decoder.open(memory.again(opener))
    await runSteps(opened, kind)
    for (const session of sessions) session.endProfiling()
    await opened.close()
    await card.close()
    return readRunProfile(await readProfile(folder, sessionOf(decoder, kind)))
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** The graph for all experts is opened first, the one for chosen experts second. */
function sessionOf({ graphs }: RandomDecoder, { sequences, tokens }: StepKind): number {
  return sequences * tokens === 1 && graphs.chosenExperts !== undefined ? 1 : 0
}

async function readProfile(folder: string, session: number): Promise<string> {
  const names = await readdir(folder)
  return readFile(
    join(
      folder,
      names.find((name) => name.startsWith(`session-${session}_`))!,
    ),
    'utf8',
  )
}

async function runSteps(decoder: Decoder, { sequences, tokens }: StepKind): Promise<void> {
  for (let run = 0; run < runs; run++) {
    const slots = Array.from({ length: sequences }, () => decoder.openSlot())
    const tokenIds = Int32Array.from({ length: tokens }, (_, i) => 1000 + i)
    await decoder.step(slots.map((slot) => ({ slot, tokenIds, features: [], sample: true })))
    for (const slot of slots) decoder.closeSlot(slot)
  }
}

/** What a step consists of: its launches, the time to record them, and where the card's time goes. */
export async function benchStep(
  card: Pick<OpenCard, 'decoder' | 'memory'>,
  kind: StepKind,
): Promise<BenchRow[]> {
  const profile = await profileStep(card, kind)
  const { launches, nodes, recordingMs, deviceMs, byOperator } = profile
  const perLayer = Math.max(...profile.layerLaunches)
  const microseconds = (1000 * recordingMs) / launches
  const recorded: BenchRow = {
    name: `${kind.name}, recorded by the host`,
    value: `${launches} launches, ${perLayer} a layer, of ${nodes} nodes: ${recordingMs.toFixed(1)} ms`,
    ratio: `${microseconds.toFixed(1)} µs a launch`,
    data: { launches, perLayer, nodes, recordingMs },
  }
  const all = byOperator.reduce((sum, { ms }) => sum + ms, 0)
  const longest = byOperator
    .slice(0, 5)
    .map(({ operator, ms }) => `${operator} ${percent(ms / all)}`)
  const computed: BenchRow = {
    name: `${kind.name}, ${deviceMs === undefined ? 'recording' : 'on the card'} by operator`,
    value: `${all.toFixed(1)} ms: ${longest.join(', ')}`,
    ratio: '',
    data: Object.fromEntries(byOperator.map(({ operator, ms }) => [operator, ms])),
  }
  return [recorded, computed]
}
