/**
 * The content of a JSON string between its quotes: strict UTF-8 (RFC 3629), and escapes except for halves of
 * surrogate pairs.
 */

/** States: between two characters, and after the closing quote. All others are within a character. */
export const betweenCharacters = 0
export const closed = 1

const dead = -1

interface Rows {
  readonly rows: Int8Array[]
  readonly add: () => number
  /** Makes bytes from `from` to `to`, both included, lead to `next`. */
  readonly lead: (row: number, from: number, to: number, next: number) => void
}

function emptyRows(): Rows {
  const rows: Int8Array[] = []
  return {
    rows,
    add: () => rows.push(new Int8Array(256).fill(dead)) - 1,
    lead: (row, from, to, next) => rows[row]!.fill(next, from, to + 1),
  }
}

/** [states, 256] */
function buildTable(): Int8Array {
  const built = emptyRows()
  const inside = built.add()
  const end = built.add()
  built.lead(inside, 0x20, 0x7f, inside)
  built.lead(inside, quote, quote, end)
  leadCharacters(built, inside)
  leadEscapes(built, inside)
  const table = new Int8Array(built.rows.length * 256)
  for (const [state, row] of built.rows.entries()) table.set(row, state * 256)
  return table
}

const [quote, backslash] = [0x22, 0x5c]

function leadCharacters({ add, lead }: Rows, inside: number): void {
  const behind = (from: number, to: number, next: number) => {
    const row = add()
    lead(row, from, to, next)
    return row
  }
  const one = behind(0x80, 0xbf, inside)
  const two = behind(0x80, 0xbf, one)
  const three = behind(0x80, 0xbf, two)
  lead(inside, 0xc2, 0xdf, one)
  lead(inside, 0xe1, 0xef, two)
  lead(inside, 0xf1, 0xf3, three)
  // Excludes overlong encodings, surrogates, and anything beyond U+10FFFF.
  lead(inside, 0xe0, 0xe0, behind(0xa0, 0xbf, one))
  lead(inside, 0xed, 0xed, behind(0x80, 0x9f, one))
  lead(inside, 0xf0, 0xf0, behind(0x90, 0xbf, two))
  lead(inside, 0xf4, 0xf4, behind(0x80, 0x8f, two))
}

function leadEscapes({ add, lead }: Rows, inside: number): void {
  const [escape, first, second, third, fourth, afterD] = Array.from({ length: 6 }, add) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const leadAll = (row: number, letters: string, next: number) => {
    for (const letter of Buffer.from(letters)) lead(row, letter, letter, next)
  }
  const digits = '0123456789abcdefABCDEF'
  lead(inside, backslash, backslash, escape)
  leadAll(escape, '"\\/bfnrt', inside)
  leadAll(escape, 'u', first)
  leadAll(first, digits, second)
  leadAll(first, 'dD', afterD)
  leadAll(afterD, '01234567', third)
  leadAll(second, digits, third)
  leadAll(third, digits, fourth)
  leadAll(fourth, digits, inside)
}

/** [states, 256]: the next state, or -1. */
export const stringTable = buildTable()

/** Bytes until a character is complete, by state. */
export const leastInCharacter = leastOf(stringTable)

function leastOf(table: Int8Array): Uint8Array {
  const states = table.length / 256
  const least = new Uint8Array(states).fill(255)
  least[betweenCharacters] = 0
  // No character takes more bytes than there are rounds.
  for (let round = 0; round < 6; round++) {
    for (let state = closed + 1; state < states; state++) {
      const targets = [...table.subarray(state * 256, state * 256 + 256)].filter(
        (next) => next !== dead,
      )
      least[state] = Math.min(least[state]!, ...targets.map((next) => least[next]! + 1))
    }
  }
  return least
}
