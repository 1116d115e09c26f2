/**
 * Picks one token from a row of logits. A row of 163,840 is read two to four times and never sorted: probabilities
 * are summed into bins of equal width on the logit axis, whole bins are kept or dropped, and only the one bin that
 * the top-p limit cuts through is put in order.
 */
import { ServiceError } from '../../shared/api/errors.ts'
import type { GenerateJob, SampledLogprobs } from './job.ts'
import { choiceSeed, createRandom } from './random.ts'

/** Bins per unit of (largest logit - logit) / temperature; bounds the cubic below to an error of 4e-8. */
const binsPerUnit = 32

/** Tokens 64 units below the best are never drawn: e^-64, even 163,840 times, is below the rounding of the sum. */
const binCount = 64 * binsPerUnit

/** Logits are float32, so no two differ by less than 1e-45; keeps a tiny temperature from becoming 0 * Infinity. */
const maxBinScale = 1e60

/** A token, and how likely it was when that is asked for. */
export interface Sampled {
  readonly id: number
  readonly logprobs?: SampledLogprobs | undefined
}

/** Picks a token from logits [vocabSize], which it may modify. */
export type Sampler = (logits: Float32Array) => Sampled

/**
 * The sampler of one sequence, with its own random state. Temperature 0 takes the largest logit, the lowest id
 * among equals. Otherwise it draws from the smallest set of most probable tokens whose probabilities reach `topP`,
 * lower ids first among equals.
 * The sampler throws ServiceError `internal` when a logit is not finite.
 */
export function createSampler(
  job: Pick<GenerateJob, 'sampling' | 'stopIds' | 'controlIdsFrom'>,
  choice: number,
): Sampler {
  const { controlIdsFrom } = job
  const { temperature, topP, seed } = job.sampling
  const controlStops = [...new Set(job.stopIds)]
    .filter((id) => id >= controlIdsFrom)
    .toSorted((a, b) => a - b)
  const random = createRandom(choiceSeed(seed, choice))
  const bins = new Float64Array(temperature === 0 ? 0 : binCount)
  return (logits) => {
    const allowed = packAllowed(logits, controlIdsFrom, controlStops)
    const best = argmax(allowed)
    const picked = temperature === 0 ? best : draw(allowed, best, temperature, topP, random(), bins)
    return { id: picked < controlIdsFrom ? picked : controlStops[picked - controlIdsFrom]! }
  }
}

/** Moves the logits of the allowed control ids (ascending) down behind those of text, in place. */
function packAllowed(
  logits: Float32Array,
  controlIdsFrom: number,
  controlStops: readonly number[],
): Float32Array {
  for (let i = 0; i < controlStops.length; i++) {
    logits[controlIdsFrom + i] = logits[controlStops[i]!]!
  }
  return logits.subarray(0, controlIdsFrom + controlStops.length)
}

function argmax(logits: Float32Array): number {
  let best = 0
  let largest = -Infinity
  let sum = 0
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i]!
    sum += logit
    if (logit > largest) {
      largest = logit
      best = i
    }
  }
  // A float64 sum of finite float32 values cannot overflow, so it is finite exactly when all of them are.
  if (Number.isFinite(sum)) return best
  throw new ServiceError('internal', 'The model computed a value that is not a number')
}

/** @param uniform a draw from [0, 1) */
function draw(
  logits: Float32Array,
  best: number,
  temperature: number,
  topP: number,
  uniform: number,
  bins: Float64Array,
): number {
  const axis = { top: logits[best]!, scale: Math.min(binsPerUnit / temperature, maxBinScale) }
  const total = sumIntoBins(logits, axis, bins)
  const cut = topP < 1 ? cutAt(logits, axis, bins, topP * total) : undefined
  let left = uniform * (cut?.keptMass ?? total)
  const wholeBins = cut?.bin ?? binCount
  let lastBin = 0
  for (let bin = 0; bin < wholeBins; bin++) {
    const mass = bins[bin]!
    if (mass === 0) continue
    if (left < mass) return pick(membersOf(bin, logits, axis), logits, axis, left)
    left -= mass
    lastBin = bin
  }
  // Rounding may leave a remainder after the last bin; it belongs to that bin's last member.
  return pick(cut?.members ?? membersOf(lastBin, logits, axis), logits, axis, left)
}

/** Where bins lie: bin = floor((top - logit) * scale). Monotonic in the logit, whatever the rounding. */
interface BinAxis {
  readonly top: number
  readonly scale: number
}

/** Fills `bins` with the sums of e^(-(top - logit) / temperature). @returns their total */
function sumIntoBins(logits: Float32Array, { top, scale }: BinAxis, bins: Float64Array): number {
  bins.fill(0)
  for (let i = 0; i < logits.length; i++) {
    const distance = (top - logits[i]!) * scale
    if (distance >= binCount) continue
    const bin = distance | 0
    // e^-x for x within one bin; the bin's own factor follows once per bin.
    const x = (distance - bin) * (1 / binsPerUnit)
    bins[bin]! += 1 - x * (1 - x * (1 / 2 - x * (1 / 6)))
  }
  let total = 0
  for (let bin = 0; bin < binCount; bin++) {
    if (bins[bin] === 0) continue
    bins[bin]! *= Math.exp(-bin / binsPerUnit)
    total += bins[bin]!
  }
  return total
}

/** The bin that the limit cuts through, the members of it that stay, and the mass kept in all. */
function cutAt(logits: Float32Array, axis: BinAxis, bins: Float64Array, limit: number) {
  let bin = 0
  let mass = 0
  while (bin < binCount - 1 && mass + bins[bin]! < limit) mass += bins[bin++]!
  const members = membersOf(bin, logits, axis)
  // Numbers alone sort many times faster than ids by a comparison; ids decide among equals afterwards.
  const rising = Float32Array.from(members, (id) => logits[id]!).toSorted()
  let lowest = rising.length
  while (lowest > 0 && (mass < limit || lowest === rising.length)) {
    mass += weight(rising[--lowest]!, axis)
  }
  const threshold = rising[lowest]!
  let equalsLeft = rising.lastIndexOf(threshold) + 1 - lowest
  const kept = members.filter((id) => {
    return logits[id]! > threshold || (logits[id] === threshold && equalsLeft-- > 0)
  })
  return { bin, members: kept, keptMass: mass }
}

/** Indices whose logit falls into `bin`, ascending. */
function membersOf(bin: number, logits: Float32Array, { top, scale }: BinAxis): number[] {
  const members: number[] = []
  for (let i = 0; i < logits.length; i++) {
    const distance = (top - logits[i]!) * scale
    if (distance >= bin && distance < bin + 1) members.push(i)
  }
  return members
}

function pick(
  members: readonly number[],
  logits: Float32Array,
  axis: BinAxis,
  mass: number,
): number {
  let left = mass
  for (const member of members) {
    left -= weight(logits[member]!, axis)
    if (left < 0) return member
  }
  return members.at(-1)!
}

function weight(logit: number, { top, scale }: BinAxis): number {
  return Math.exp(((logit - top) * scale) / binsPerUnit)
}
