import { decoderOf } from '../compile/patterns/byte-decoder.ts'
import type { PatternTables } from '../grammar.ts'
import { PatternString } from '../pieces/pattern-string.ts'
import { emptyInside, insideMask } from './pattern-mask.ts'
import type { Vocabulary } from './vocabulary.ts'

/** After these, the loops are compiled. */
const rounds = 3

/**
 * Lets the loops over all tokens be compiled, so that this does not delay the first answer that has a pattern: there they
 * would take three times as long. Takes some hundredths of a second.
 */
export function warmUpMasks({ merger, words }: Vocabulary): void {
  const piece = new PatternString(anyText())
  for (let round = 0; round < rounds; round++) {
    const tokens = merger.tokens(piece.tables)
    insideMask(tokens, piece, 0, emptyInside(tokens, words))
  }
}

/** Any string, in which ASCII is distinguished from other characters. */
function anyText(): PatternTables {
  const table = Int32Array.of(0, 0)
  const free = Uint8Array.of(0)
  const classes = { starts: Int32Array.of(0, 0x80), classes: Int32Array.of(0, 1) }
  const decoder = decoderOf({ count: 2, ...classes, table })
  const [accepting, least] = [Uint8Array.of(1), Int32Array.of(1)]
  return { kind: 'pattern', classes: 2, table, accepting, free, least, decoder }
}
