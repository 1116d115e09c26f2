import { byClasses, type CharacterDfa } from './character-classes.ts'

/** States times characters: a few hundredths of a second. */
const maxCells = 4_000_000

/**
 * All texts except the given ones.
 * @throws {RangeError} with a message for their author, when they have too many different characters
 */
export function dfaOfOthers(texts: readonly string[]): CharacterDfa {
  const nodes: { readonly children: Map<number, number>; excluded: boolean }[] = []
  const add = () => nodes.push({ children: new Map(), excluded: false }) - 1
  add()
  for (const text of texts) {
    let node = 0
    for (const character of text) {
      const { children } = nodes[node]!
      const codePoint = character.codePointAt(0)!
      const child = children.get(codePoint) ?? add()
      children.set(codePoint, child)
      node = child
    }
    nodes[node]!.excluded = true
  }
  // One more node for all texts that have left the trie.
  const free = add()
  const codePoints = [...new Set(nodes.flatMap(({ children }) => [...children.keys()]))]
  codePoints.sort((a, b) => a - b)
  const count = codePoints.length + 1
  if (count * nodes.length > maxCells) {
    throw new RangeError('names with too many different characters in too many places')
  }
  const atoms = new Map(codePoints.map((codePoint, index) => [codePoint, index + 1]))
  const table = new Int32Array(count * nodes.length).fill(free)
  for (const [node, { children }] of nodes.entries()) {
    for (const [codePoint, child] of children) table[node * count + atoms.get(codePoint)!] = child
  }
  const accepting = Uint8Array.from(nodes, ({ excluded }) => (excluded ? 0 : 1))
  return byClasses({ count, ...intervalsOf(codePoints), table, accepting })
}

/** Atom 0 is all characters but the given ones, which have one each. */
function intervalsOf(codePoints: readonly number[]) {
  const [starts, atoms]: [number[], number[]] = [[], []]
  let from = 0
  for (const [index, codePoint] of codePoints.entries()) {
    if (from < codePoint) {
      starts.push(from)
      atoms.push(0)
    }
    starts.push(codePoint)
    atoms.push(index + 1)
    from = codePoint + 1
  }
  return { starts: [...starts, from], atoms: [...atoms, 0] }
}
