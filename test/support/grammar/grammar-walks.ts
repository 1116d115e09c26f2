/** Random walks through the masks of a grammar, to see that every way ends in a valid text. */
import { createRandom } from '../../../backend/engine/sampling/random.ts'
import { compileGrammar } from '../../../backend/grammar/compile/compile-grammar.ts'
import { PreparedGrammar } from '../../../backend/grammar/constraint.ts'
import { hasBit } from '../../../backend/grammar/masks/bits.ts'
import type { Vocabulary } from '../../../backend/grammar/masks/vocabulary.ts'
import type { Standing } from '../../../backend/grammar/stacks/frames.ts'

export function prepare(schema: unknown, vocabulary: Vocabulary): PreparedGrammar {
  return new PreparedGrammar(
    compileGrammar({ type: 'json_schema', schema: JSON.stringify(schema) }),
    vocabulary,
  )
}

/** @returns the ids of the bits that are set */
export function idsOf(mask: Int32Array): number[] {
  const ids: number[] = []
  for (let id = 0; id < mask.length * 32; id++) if (hasBit(mask, id)) ids.push(id)
  return ids
}

/** The place after a token. @throws {RangeError} when it is not allowed */
export function after(
  { automaton, vocabulary }: PreparedGrammar,
  standing: Standing,
  id: number,
): Standing {
  let at: Standing | undefined = standing
  for (const byte of vocabulary.bytesOf(id)) at = at && automaton.step(at, byte)
  if (at === undefined) throw new RangeError(`Token ${id} is in the mask and not allowed`)
  return at
}

/**
 * Takes random tokens until the text may end, or for so many tokens; then the ending of the place it came to.
 * @throws {RangeError} at a dead end
 */
function walk(grammar: PreparedGrammar, random: () => number, maxTokens: number): Uint8Array {
  const { automaton, masks, vocabulary } = grammar
  const mask = new Int32Array(vocabulary.words)
  const bytes: number[] = []
  let standing = automaton.start
  for (let count = 0; count < maxTokens; count++) {
    if (standing.mayEnd && (standing.heads.length === 0 || random() < 0.3))
      return Uint8Array.from(bytes)
    masks.fill(standing, mask)
    const ids = idsOf(mask)
    if (ids.length === 0)
      throw new RangeError(`Nothing is allowed behind ${Buffer.from(bytes).toString()}`)
    const id = pickToken(ids, vocabulary, random)
    bytes.push(...vocabulary.bytesOf(id))
    standing = after(grammar, standing, id)
  }
  return Uint8Array.from([...bytes, ...automaton.endings.text(standing)])
}

/** Texts that go on for ever are no use: what ends things is taken more often than chance would. */
function pickToken(ids: readonly number[], vocabulary: Vocabulary, random: () => number): number {
  const isClosing = (id: number) =>
    vocabulary.bytesOf(id).some((byte) => byte === 0x22 || byte === 0x5d || byte === 0x7d)
  const closing = random() < 0.25 ? ids.filter(isClosing) : []
  const from = closing.length > 0 ? closing : ids
  return from[Math.floor(random() * from.length)]!
}

/** What is wrong with a text; undefined when it is valid. */
export function faultOf(
  text: Uint8Array,
  validate: (value: unknown) => boolean,
): string | undefined {
  const shown = Buffer.from(text).toString().slice(0, 200)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(text))
  } catch (error) {
    return `${String(error)}: ${shown}`
  }
  return validate(value) ? undefined : `invalid: ${shown}`
}

/** @returns the faults of so many walks */
export function walkMany(
  grammar: PreparedGrammar,
  validate: (value: unknown) => boolean,
  walks: number,
  seed: number,
): string[] {
  const random = createRandom(seed)
  const faults: string[] = []
  for (let count = 0; count < walks; count++) {
    const fault = faultOf(walk(grammar, random, 60), validate)
    if (fault !== undefined) faults.push(fault)
  }
  return faults
}
