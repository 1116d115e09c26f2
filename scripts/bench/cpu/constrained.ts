import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createSampler } from '../../../backend/engine/sampling/sampler.ts'
import { createRandom } from '../../../backend/engine/sampling/random.ts'
import { compileGrammar } from '../../../backend/grammar/compile/compile-grammar.ts'
import { Constraint, PreparedGrammar } from '../../../backend/grammar/constraint.ts'
import { Vocabulary } from '../../../backend/grammar/masks/vocabulary.ts'
import { warmUpMasks } from '../../../backend/grammar/masks/warm-up.ts'
import type { TokenBytes } from '../../../backend/model/config/tokenizer-file.ts'
import { threadCpuMs, type BenchRow } from '../measure.ts'

const vocabSize = 163_840
const textTokens = 163_584
const stopId = 163_586

/** Tokens of each answer. */
const answerTokens = 120

/** As people send them: strings, numbers, lists, labels, patterns and unions. */
const schemas: Readonly<Record<string, unknown>> = {
  'a caption': objectOf({ caption: { type: 'string' } }),
  'bounded strings': objectOf({
    short: { type: 'string', maxLength: 125 },
    long: { type: 'string', minLength: 50, maxLength: 600 },
  }),
  boxes: objectOf({
    boxes: {
      type: 'array',
      items: {
        type: 'array',
        items: { type: 'number', minimum: 0, maximum: 1 },
        minItems: 4,
        maxItems: 4,
      },
    },
  }),
  '5,000 labels': {
    type: 'array',
    items: {
      enum: Array.from({ length: 5_000 }, (_, index) => `category-${(index * 7_919) % 100_007}`),
    },
  },
  'patterns and formats': {
    type: 'array',
    items: objectOf({
      name: { type: 'string', pattern: '^\\p{L}{1,50}$' },
      mail: { type: 'string', format: 'email' },
      link: { type: 'string', format: 'uri' },
    }),
  },
  'unanchored pattern': { type: 'array', items: { type: 'string', pattern: 'ab+' } },
  'any object': { type: 'object' },
}

function objectOf(properties: Readonly<Record<string, unknown>>) {
  return { type: 'object', properties, required: Object.keys(properties) }
}

/** o200k_base cut to as many tokens as the real model has: its own vocabulary is not part of this project. */
function standInTokens(): TokenBytes {
  const file = createRequire(import.meta.url).resolve('tiktoken/encoders/o200k_base.json')
  const { bpe_ranks: ranks } = JSON.parse(readFileSync(file, 'utf8')) as { bpe_ranks: string }
  const tokens: Buffer[] = []
  for (const line of ranks.split('\n')) {
    const [mark, offset, ...texts] = line.split(' ')
    if (mark !== '!') continue
    for (const [index, text] of texts.entries())
      tokens[Number(offset) + index] = Buffer.from(text, 'base64')
  }
  const text = tokens.slice(0, textTokens)
  const starts = new Uint32Array(text.length + 1)
  for (const [id, { length }] of text.entries()) starts[id + 1] = starts[id]! + length
  return { bytes: Buffer.concat(text), starts }
}

/** Milliseconds of one token of an answer, sampling from the allowed logits left out. */
interface TokenTimes {
  /** Making its mask: where the first layers have a thread of their own, while they compute. */
  readonly maskMs: number
  /** Leaving out what the mask does not allow, and the step of the automaton: once the logits are there. */
  readonly rowMs: number
}

/**
 * What keeping to a schema costs per token, with masks as warm as after a start. The slowest token is mostly the first
 * one in a pattern, because of its mask. On a busy machine, only its processor time means something: it is measured in
 * answers of its own, because reading that clock takes time.
 */
export function benchConstrained(): BenchRow[] {
  const vocabulary = new Vocabulary(standInTokens(), vocabSize)
  warmUpMasks(vocabulary)
  return Object.entries(schemas).map(([name, schema]) => {
    const source = { type: 'json_schema', schema: JSON.stringify(schema) } as const
    const compiled = compileGrammar(source)
    const answers = (now: () => number) => {
      const grammar = new PreparedGrammar(compiled, vocabulary)
      return [1, 2, 3, 4, 5, 6].flatMap((seed) => answer(grammar, seed, now))
    }
    const [, worstCpuMs] = spreadOf(answers(threadCpuMs).map(({ maskMs, rowMs }) => maskMs + rowMs))
    const times = answers(() => performance.now())
    const [medianMs, worstMs] = spreadOf(times.map(({ maskMs, rowMs }) => maskMs + rowMs))
    const [maskMedianMs, maskWorstMs] = spreadOf(times.map(({ maskMs }) => maskMs))
    const [rowMedianMs, rowWorstMs] = spreadOf(times.map(({ rowMs }) => rowMs))
    const medians = `${micros(medianMs)} µs (mask ${micros(maskMedianMs)}, row ${micros(rowMedianMs)})`
    const parts = `mask ${maskWorstMs.toFixed(1)}, row ${rowWorstMs.toFixed(1)}`
    const worst = `${worstCpuMs.toFixed(1)} ms of processor time, ${worstMs.toFixed(1)} of clock (${parts})`
    return {
      name: `constrained token, ${name}`,
      value: `median ${medians}, worst ${worst}`,
      ratio: '',
      data: { medianMs, worstCpuMs, worstMs, maskMedianMs, maskWorstMs, rowMedianMs, rowWorstMs },
    }
  })
}

function spreadOf(times: readonly number[]): [medianMs: number, worstMs: number] {
  const sorted = times.toSorted((a, b) => a - b)
  return [sorted[sorted.length >> 1]!, sorted.at(-1)!]
}

function micros(ms: number): string {
  return (ms * 1000).toFixed(0)
}

/** @param now a clock, in milliseconds */
function answer(grammar: PreparedGrammar, seed: number, now: () => number): TokenTimes[] {
  const constraint = new Constraint(grammar, [stopId])
  const random = createRandom(seed)
  const logits = Float32Array.from({ length: vocabSize }, () => 8 * (random() + random() - 1))
  const job = {
    promptIds: new Int32Array(),
    stopIds: [stopId],
    controlIdsFrom: textTokens,
    sampling: { temperature: 0.7, topP: 0.9, seed },
    topLogprobs: undefined,
  }
  const times: TokenTimes[] = []
  let rowMs = 0
  const timed = <Result>(work: () => Result): Result => {
    const start = now()
    const result = work()
    rowMs += now() - start
    return result
  }
  const sampler = createSampler(
    job,
    0,
    { imageTokenId: -1, vocabSize },
    {
      prepare: () => constraint.prepare(),
      filter: () => constraint.filter(),
      pack: (row) => timed(() => constraint.pack(row)),
      idAt: (place) => timed(() => constraint.idAt(place)),
      positionOf: (id) => constraint.positionOf(id),
      settle: (id, left) => timed(() => constraint.settle(id, left)),
    },
  )
  // One for all tokens: allocating rows makes garbage that is collected in the middle of a measurement.
  const row = new Float32Array(vocabSize)
  for (let left = answerTokens; left > 0; left--) {
    const start = now()
    sampler.prepare()
    const maskMs = now() - start
    rowMs = 0
    const shift = Math.floor(random() * vocabSize)
    row.set(logits.subarray(shift))
    row.set(logits.subarray(0, shift), vocabSize - shift)
    const { end } = sampler.pick(row, left)
    times.push({ maskMs, rowMs })
    if (end === 'must') break
  }
  return times
}
