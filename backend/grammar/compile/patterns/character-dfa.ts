/** Patterns as DFAs over code points. `refa` reads the regular expression and makes it deterministic. */
import { DFA, JS, NFA, type ReadonlyCharMap } from 'refa'
import { maxCharacterProperties, maxDfaNodes, maxNfaNodes, maxPatternChars } from '../../limits.ts'
import { splitPattern, type PatternPart } from './split-pattern.ts'
import { leaveOutDisputed, propertiesOf } from './unicode-properties.ts'

/** The transition for the code points `from` to `to`, both included. */
interface Edge {
  readonly from: number
  readonly to: number
  readonly target: number
}

interface CharacterNode {
  /** In ascending order, disjoint. */
  readonly edges: readonly Edge[]
  readonly accepting: boolean
}

/** Node 0 is the first. */
export type CharacterDfa = readonly CharacterNode[]

export const lastCodePoint = 0x10_ffff

/** What may still be created for the patterns of one schema. */
export interface NodeBudget {
  /** Those that occur in its patterns. */
  readonly properties: Set<string>
  readonly nfa: NFA.LimitedNodeFactory
  readonly dfa: DFA.LimitedNodeFactory
}

export function createNodeBudget(): NodeBudget {
  return {
    properties: new Set(),
    nfa: new NFA.LimitedNodeFactory(maxNfaNodes),
    dfa: new DFA.LimitedNodeFactory(maxDfaNodes),
  }
}

/** @throws {RangeError} with a message for the author of the pattern, when it cannot be used */
export function dfaOfPattern(pattern: string, budget: NodeBudget): CharacterDfa {
  if (pattern.length > maxPatternChars) {
    throw new RangeError(
      `a pattern may have ${maxPatternChars} characters, this has ${pattern.length}`,
    )
  }
  checkSyntax(pattern)
  const properties = propertiesOf(pattern)
  for (const property of properties) budget.properties.add(property)
  if (budget.properties.size > maxCharacterProperties) {
    throw new RangeError(`patterns with more than ${maxCharacterProperties} different \\p{...}`)
  }
  return dfaOf(splitPattern(pattern).map(wholeSource).join('|'), properties, budget)
}

function checkSyntax(pattern: string): void {
  try {
    RegExp(pattern, 'u')
  } catch {
    throw new RangeError('not a regular expression of JavaScript with the flag u')
  }
}

/** At an end that is not anchored, anything may precede or follow. */
function wholeSource({ source, fromStart, toEnd }: PatternPart): string {
  return `${fromStart ? '' : '[^]*'}(?:${source})${toEnd ? '' : '[^]*'}`
}

function dfaOf(source: string, properties: readonly string[], budget: NodeBudget): CharacterDfa {
  const { expression, maxCharacter } = parse(source)
  if (properties.length > 0) leaveOutDisputed(expression, properties)
  try {
    const nfa = NFA.fromRegex(expression, { maxCharacter }, {}, budget.nfa)
    const dfa = DFA.fromFA(nfa, budget.dfa)
    dfa.minimize()
    return nodesOf(dfa)
  } catch (cause) {
    const message = `a pattern that, together with those before it, needs more than ${maxNfaNodes} states, or ${maxDfaNodes} once it is deterministic`
    throw new RangeError(message, { cause })
  }
}

function parse(source: string) {
  try {
    return JS.Parser.fromLiteral({ source, flags: 'u' }).parse({
      assertions: 'throw',
      backreferences: 'throw',
      maxNodes: maxNfaNodes,
    })
  } catch (cause) {
    const message =
      'a pattern with something that is not supported: lookaround, \\b, backreferences, ^ and $ but at the ends, or too much of it'
    throw new RangeError(message, { cause })
  }
}

function nodesOf(dfa: DFA): CharacterDfa {
  const nodes = [...dfa.nodes()]
  const ordered = [dfa.initial, ...nodes.filter((node) => node !== dfa.initial)]
  const numbers = new Map(ordered.map((node, number) => [node, number]))
  return ordered.map((node) => ({
    edges: edgesOf(node.out, (target) => numbers.get(target)!),
    accepting: dfa.finals.has(node),
  }))
}

function edgesOf<Node>(out: ReadonlyCharMap<Node>, numberOf: (node: Node) => number): Edge[] {
  return [...out].map(([{ min, max }, target]) => ({
    from: min,
    to: max,
    target: numberOf(target),
  }))
}

/** All texts except the given ones. */
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
  return nodes.map(({ children, excluded }) => ({
    edges: othersTo(children, free),
    accepting: !excluded,
  }))
}

function othersTo(children: ReadonlyMap<number, number>, free: number): Edge[] {
  const edges: Edge[] = []
  let from = 0
  for (const [codePoint, target] of [...children].toSorted(([a], [b]) => a - b)) {
    if (from < codePoint) edges.push({ from, to: codePoint - 1, target: free })
    edges.push({ from: codePoint, to: codePoint, target })
    from = codePoint + 1
  }
  return from > lastCodePoint ? edges : [...edges, { from, to: lastCodePoint, target: free }]
}
