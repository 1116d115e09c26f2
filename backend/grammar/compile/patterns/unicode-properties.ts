/**
 * `\p{...}` depends on the version of Unicode: refa's is older than that of JavaScript engines, which check answers. Characters
 * about which the two disagree are left out of answers.
 */
import { CharSet, JS, visitAst, type Expression } from 'refa'

const maximum = 0x10_ffff
const [firstSurrogate, afterSurrogates, firstAstral] = [0xd800, 0xe000, 0x1_0000]

/** By property: the same few occur in all patterns. */
const disputed = new Map<string, CharSet>()

/** The properties of a valid pattern (flag `u`), such as `\p{Lu}`, also where it has `\P{Lu}`. */
export function propertiesOf(pattern: string): string[] {
  // A backslash that follows another one begins nothing.
  const escapes = pattern.match(/\\(?:[pP]\{[^}]*\}|.)/gsu) ?? []
  const found = escapes.filter((escape) => /^\\[pP]/.test(escape))
  return [...new Set(found.map((escape) => `\\p${escape.slice(2)}`))]
}

/** Takes disputed characters out of all sets of a parsed pattern that are not all characters anyway. */
export function leaveOutDisputed(expression: Expression, properties: readonly string[]): void {
  const out = CharSet.empty(maximum).union(...properties.map(disputedOf))
  visitAst(expression, {
    onCharacterClassEnter(node) {
      if (!node.characters.isAll) node.characters = node.characters.without(out)
    },
  })
}

function disputedOf(property: string): CharSet {
  const known = disputed.get(property)
  if (known !== undefined) return known
  const [ones, others] = [setOfRefa(property), setOfEngine(property)]
  const found = ones.union(others).without(ones.intersect(others))
  disputed.set(property, found)
  return found
}

function setOfRefa(property: string): CharSet {
  const { expression } = JS.Parser.fromLiteral({ source: property, flags: 'u' }).parse()
  let set = CharSet.empty(maximum)
  visitAst(expression, {
    onCharacterClassEnter({ characters }) {
      set = characters
    },
  })
  return set
}

function setOfEngine(property: string): CharSet {
  const runs = allCharacters().matchAll(new RegExp(`${property}+`, 'gu'))
  const ranges = Array.from(runs, ({ index, 0: { length } }) => ({
    min: codePointAt(index),
    max: codePointAt(index + length) - 1,
  }))
  return CharSet.empty(maximum).union(ranges)
}

let all: string | undefined

/** Every character in order; surrogates, which no answer has, are spaces. */
function allCharacters(): string {
  if (all !== undefined) return all
  const units = new Uint16Array(2 * maximum + 2 - firstAstral)
  for (let unit = 0; unit < firstAstral; unit++) {
    units[unit] = unit < firstSurrogate || unit >= afterSurrogates ? unit : 0x20
  }
  for (let at = firstAstral; at < units.length; at += 2) {
    const above = codePointAt(at) - firstAstral
    units[at] = firstSurrogate + (above >> 10)
    units[at + 1] = 0xdc00 + (above & 0x3ff)
  }
  all = Buffer.from(units.buffer).toString('utf16le')
  return all
}

/** The character at an index of that text. */
function codePointAt(index: number): number {
  return index < firstAstral ? index : firstAstral + (index - firstAstral) / 2
}
