import { decoderOf } from '../compile/patterns/byte-decoder.ts'
import { regionsOf } from '../compile/patterns/regions.ts'
import type { PatternTables } from '../grammar.ts'
import { PatternString } from '../pieces/pattern-string.ts'
import { PatternTokens } from './pattern-tokens.ts'
import { insideOfAny } from './patterns/pattern-union.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Rounds after which the loops are compiled. */
const rounds = 4

/**
 * Has the loops over all tokens compiled, so that they do not delay the first answer with a pattern, where they would
 * otherwise take three times as long. Takes one or two tenths of a second.
 */
export function warmUpMasks(vocabulary: Vocabulary): void {
  for (let round = 0; round < rounds; round++) {
    makeMasks(vocabulary, [fewWords(), anyText()])
    makeMasks(vocabulary, [textWithout('e'), textWithout('t')])
  }
}

function makeMasks(vocabulary: Vocabulary, patterns: readonly PatternTables[]): void {
  const places = patterns.map((tables) => {
    const piece = new PatternString(tables)
    const tokens = new PatternTokens(piece, vocabulary)
    for (const node of tables.accepting.keys()) tokens.maskOf(piece.stateOf(node))
    return tokens.placeOf(piece.stateOf(0))
  })
  insideOfAny(places, vocabulary.characters.allStaying)
}

/** Any string; ASCII is distinguished from other characters. */
function anyText(): PatternTables {
  const table = Int32Array.of(0, 0)
  const free = Uint8Array.of(0)
  const classes = { starts: Int32Array.of(0, 0x80), classes: Int32Array.of(0, 1) }
  const decoder = decoderOf({ count: 2, ...classes })
  const [accepting, least] = [Uint8Array.of(1), Int32Array.of(1)]
  const regions = regionsOf({ classes: 2, table })
  return { kind: 'pattern', classes: 2, table, accepting, free, least, decoder, regions }
}

/** Up to three characters, none of which is a certain letter: similar characters are told apart. */
function textWithout(letter: string): PatternTables {
  const code = letter.charCodeAt(0)
  const table = Int32Array.of(1, 2, 3, -1)
  const [accepting, free, least] = [
    new Uint8Array(4).fill(1),
    new Uint8Array(4),
    new Int32Array(4).fill(1),
  ]
  const classes = { starts: Int32Array.of(0, code, code + 1), classes: Int32Array.of(0, -1, 0) }
  const decoder = decoderOf({ count: 1, ...classes })
  const regions = regionsOf({ classes: 1, table })
  return { kind: 'pattern', classes: 1, table, accepting, free, least, decoder, regions }
}

/**
 * Six words of ASCII letters without a space after the last. V8 compiles loops without the branches that were not taken
 * during the warm-up, and discards the result when one is taken, so this also has characters that are not allowed,
 * ends, and states that differ.
 */
function fewWords(): PatternTables {
  // States are the beginning of a word and its rest, six times; classes are letters and the space.
  const table = Int32Array.from({ length: 24 }, (_, cell) => {
    const [state, isSpace] = [cell >> 1, cell % 2 === 1]
    if (!isSpace) return state | 1
    return state % 2 === 0 || state === 11 ? -1 : state + 1
  })
  const classes = {
    starts: Int32Array.of(0, 0x20, 0x21, 0x41, 0x5b, 0x61, 0x7b),
    classes: Int32Array.of(-1, 1, -1, 0, -1, 0, -1),
  }
  const decoder = decoderOf({ count: 2, ...classes })
  const accepting = Uint8Array.from({ length: 12 }, (_, state) => state & 1)
  const least = accepting.map((accepts) => 2 - accepts)
  const free = new Uint8Array(12)
  return {
    kind: 'pattern',
    classes: 2,
    table,
    accepting,
    free,
    least: Int32Array.from(least),
    decoder,
    regions: regionsOf({ classes: 2, table }),
  }
}
