import { commonLength } from './common-length.ts'
import type { KeyTables, LiteralTables, TrieTables } from './grammar.ts'

/** A trie by node: parents come before their children, which are in ascending order of their bytes. */
interface Nodes {
  readonly count: number
  readonly parents: Int32Array
  readonly bytes: Uint8Array
  /** The index of the text that ends at a node, or -1. */
  readonly numbers: Int32Array
}

/** @param texts at least one, no two equal */
export function literalTables(texts: readonly string[]): LiteralTables {
  const nodes = nodesOf(texts)
  return { kind: 'literal', ...tablesOf(nodes), least: leastOf(nodes) }
}

/** @param keys each with its colon, no two equal */
export function keyTables(keys: readonly string[]): KeyTables {
  const nodes = nodesOf(keys)
  const depth = new Int32Array(nodes.count)
  for (let node = 1; node < nodes.count; node++) depth[node] = depth[nodes.parents[node]!]! + 1
  return { kind: 'keys', ...tablesOf(nodes), depth, ...numbersBelow(nodes, keys.length) }
}

/** In byte order, the longest prefix a text shares with any earlier text is the one it shares with its predecessor. */
function nodesOf(texts: readonly string[]): Nodes {
  const sorted = texts.map((text, number) => ({ bytes: Buffer.from(text), number }))
  sorted.sort((a, b) => Buffer.compare(a.bytes, b.bytes))
  const room = sorted.reduce((sum, { bytes }) => sum + bytes.length, 1)
  const parents = new Int32Array(room)
  const bytes = new Uint8Array(room)
  const numbers = new Int32Array(room).fill(-1)
  let count = 1
  let path = [0]
  let before = Buffer.alloc(0)
  for (const { bytes: text, number } of sorted) {
    path = path.slice(0, commonLength(before, text) + 1)
    while (path.length <= text.length) {
      parents[count] = path.at(-1)!
      bytes[count] = text[path.length - 1]!
      path.push(count++)
    }
    numbers[path.at(-1)!] = number
    before = text
  }
  return { count, parents, bytes, numbers }
}

function tablesOf({ count, parents, bytes, numbers }: Nodes): TrieTables {
  const firstEdge = new Int32Array(count + 1)
  for (let node = 1; node < count; node++) firstEdge[parents[node]! + 1]! += 1
  for (let node = 0; node < count; node++) firstEdge[node + 1]! += firstEdge[node]!
  const edgeBytes = new Uint8Array(count - 1)
  const edgeTargets = new Int32Array(count - 1)
  const filled = firstEdge.slice()
  for (let node = 1; node < count; node++) {
    const edge = filled[parents[node]!]!++
    edgeBytes[edge] = bytes[node]!
    edgeTargets[edge] = node
  }
  const ends = new Uint8Array(count)
  for (let node = 0; node < count; node++) ends[node] = numbers[node]! < 0 ? 0 : 1
  return { firstEdge, edgeBytes, edgeTargets, ends }
}

function leastOf({ count, parents, numbers }: Nodes): Int32Array {
  const least = new Int32Array(count).fill(2 ** 30)
  for (let node = count - 1; node >= 0; node--) {
    if (numbers[node]! >= 0) least[node] = 0
    if (node > 0) least[parents[node]!] = Math.min(least[parents[node]!]!, least[node]! + 1)
  }
  return least
}

/** Texts are added in ascending order to the list of each node on their path, so lists need no sorting. */
function numbersBelow(
  { count, parents, numbers }: Nodes,
  texts: number,
): Pick<KeyTables, 'firstBelow' | 'below'> {
  const ends = new Int32Array(texts)
  for (let node = 0; node < count; node++) if (numbers[node]! >= 0) ends[numbers[node]!] = node
  const firstBelow = new Int32Array(count + 1)
  const forNodesOf = (end: number, visit: (node: number) => void) => {
    for (let node = end; node > 0; node = parents[node]!) visit(node)
    visit(0)
  }
  for (const end of ends) forNodesOf(end, (node) => (firstBelow[node + 1]! += 1))
  for (let node = 0; node < count; node++) firstBelow[node + 1]! += firstBelow[node]!
  const below = new Int32Array(firstBelow[count]!)
  const filled = firstBelow.slice()
  for (const [number, end] of ends.entries())
    forNodesOf(end, (node) => (below[filled[node]!++] = number))
  return { firstBelow, below }
}
