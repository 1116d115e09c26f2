/** What facts about a machine mean for the backend: pure decisions. */
import { formatBytes } from '../../shared/progress/amounts.ts'
import { describeAdapter, type ProbeResult } from '../device/adapter.ts'
import type { ProviderChoice } from '../device/choose-provider.ts'
import { memoryText, type MemoryCheck } from '../memory/memory-check.ts'
import type { DeviceWork } from '../model/device-work.ts'
import type { CardFacts } from './card-facts.ts'
import type { Finding, Problem } from './finding.ts'

/** The oldest major version of Node that the backend runs on. */
const leastNode = 24

export function judgeNode(version: string): Finding {
  const name = 'Node'
  if (Number(version.split('.')[0]) >= leastNode) return { name, value: version }
  const problem = errorWith(
    `Node ${leastNode} or newer is needed`,
    'install it from https://nodejs.org; npm start fetches it by itself',
  )
  return { name, value: version, problem }
}

export interface Processor {
  readonly model: string
  readonly cores: number
  readonly architecture: string
  /** Names of instruction sets, as Linux has them; undefined on other systems. */
  readonly features: readonly string[] | undefined
}

/** By architecture: instruction sets that multiply 8-bit numbers, the fastest first, and those without which it is slow. */
const instructionSets: Readonly<Record<string, { fast: readonly string[]; needed: string }>> = {
  x64: { fast: ['avx512_vnni', 'avx_vnni'], needed: 'avx2' },
  arm64: { fast: ['i8mm', 'asimddp'], needed: 'asimddp' },
}

export function judgeProcessor({ model, cores, architecture, features }: Processor): Finding {
  const name = 'processor'
  const sets = instructionSets[architecture]
  const found = sets?.fast.find((feature) => features?.includes(feature))
  const value = `${model}, ${cores} cores${found === undefined ? '' : `, ${found}`}`
  if (sets === undefined || features === undefined || features.includes(sets.needed)) {
    return { name, value }
  }
  const problem = warningWith(
    `it lacks ${sets.needed}, without which 8-bit multiplications are many times slower`,
    'use a newer processor; a virtual machine needs the host’s processor type',
  )
  return { name, value, problem }
}

interface Room {
  readonly freeBytes: number
  readonly neededBytes: number
}

/** Whether what the settings ask for fits: the same that a start would find. */
export function judgeMemory(check: MemoryCheck): Finding {
  const name = 'memory'
  const { fits, statement, remedy } = check
  if (fits === false) {
    const text = 'the model does not fit, and the backend would not start'
    return { name, value: statement, problem: errorWith(text, remedy) }
  }
  return { name, value: memoryText(check) }
}

/** @param room undefined when the model is converted already */
export function judgeDisk(folder: string, room: Room | undefined): Finding {
  const name = 'disk'
  if (room === undefined) return { name, value: 'the model is converted' }
  const { freeBytes, neededBytes } = room
  const value = `${formatBytes(freeBytes)} free in ${folder}, ${formatBytes(neededBytes)} to be written by the conversion`
  if (freeBytes >= neededBytes) return { name, value }
  const problem = errorWith(
    'the converted model does not fit',
    'make room, or set STATE_DIR to another disk',
  )
  return { name, value, problem }
}

/** @param why the folder for converted models cannot be used */
export function judgeNoFolder(why: string): Finding {
  const problem = errorWith(
    'the converted model cannot be written',
    'set STATE_DIR to a folder that this user may write to',
  )
  return { name: 'disk', value: why, problem }
}

export function judgeCard(probed: ProbeResult): Finding {
  const name = 'graphics card'
  if ('problem' in probed) return { name, value: `none: ${probed.problem}` }
  const { adapter } = probed
  if (adapter.kind === 'hardware') return { name, value: describeAdapter(adapter) }
  const problem = warningWith(
    'this driver computes on the processor',
    'install the card’s own driver, and give this program access to the card (docs/gpu.md)',
  )
  return { name, value: describeAdapter(adapter), problem }
}

/** @param work what the model asks of a card, if it is known */
export function judgeCardFacts(facts: CardFacts, work: DeviceWork | undefined): Finding {
  const name = 'card’s limits'
  const value = `tensors of ${formatBytes(facts.largestTensorBytes)} and more, memory gives ${formatBytes(facts.bytesPerSecond)}/s, a launch takes ${(facts.secondsPerLaunch * 1e6).toFixed(0)} µs`
  if (work === undefined || work.largestWeightBytes <= facts.largestTensorBytes) {
    return { name, value }
  }
  const problem = errorWith(
    `the model has a weight of ${formatBytes(work.largestWeightBytes)}`,
    'update the card’s driver, or set PROVIDER=cpu',
  )
  return { name, value, problem }
}

/**
 * What bounds a single stream on a card: the bytes that a token reads, or the recording of its launches, which goes on
 * meanwhile.
 * @param before what the layers on the CPU read first, if there are any
 */
export function judgeCardSpeed(facts: CardFacts, work: DeviceWork, before?: Speed): Finding {
  const readMs = (1000 * work.bytesPerToken) / facts.bytesPerSecond
  const launchMs = 1000 * work.launchesPerToken * facts.secondsPerLaunch
  const beforeMs = before === undefined ? 0 : (1000 * before.bytesPerToken) / before.bytesPerSecond
  const rate = rateText(1000 / (beforeMs + Math.max(readMs, launchMs)))
  const onCpu = before === undefined ? '' : `, after ${beforeMs.toFixed(1)} ms on the CPU`
  const value = `at most ${rate} tokens/s a stream: a token reads ${formatBytes(work.bytesPerToken)} in ${readMs.toFixed(1)} ms, and its ${work.launchesPerToken} launches take ${launchMs.toFixed(1)} ms${onCpu}`
  return { name: 'speed on the card', value }
}

/** @param name of the setting, as `NAME=value` @param choice or why the backend would not start */
export function judgeProvider(name: string, choice: ProviderChoice | Error): Finding {
  if (choice instanceof Error) {
    const problem = errorWith(
      choice.message,
      'docs/gpu.md describes the settings, memory and drivers',
    )
    return { name, value: 'the backend would not start', problem }
  }
  return { name, value: `${choice.name}: ${choice.reason}` }
}

interface Speed {
  readonly bytesPerSecond: number
  readonly bytesPerToken: number
}

/** A token of one stream reads every weight that it uses once, and nothing else takes nearly as long. */
export function judgeSpeed({ bytesPerSecond, bytesPerToken }: Speed): Finding {
  const rate = rateText(bytesPerSecond / bytesPerToken)
  const [memory, token] = [formatBytes(bytesPerSecond), formatBytes(bytesPerToken)]
  const value = `at most ${rate} tokens/s a stream on the CPU: memory gives ${memory}/s, a token reads ${token}`
  return { name: 'speed', value }
}

function rateText(tokensPerSecond: number): string {
  return tokensPerSecond < 10 ? tokensPerSecond.toFixed(1) : String(Math.round(tokensPerSecond))
}

function errorWith(text: string, remedy: string): Problem {
  return { severity: 'error', text, remedy }
}

function warningWith(text: string, remedy: string): Problem {
  return { severity: 'warning', text, remedy }
}
