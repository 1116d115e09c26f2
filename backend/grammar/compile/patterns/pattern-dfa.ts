/** Patterns as DFAs over code points. `refa` reads the regular expression. */
import { JS, type CharSet } from 'refa'
import { maxPatternChars, maxPatternPositions } from '../../limits.ts'
import { byClasses, type CharacterDfa } from './character-classes.ts'
import { determinise } from './determinise.ts'
import { minimise } from './minimise.ts'
import { lastCodePoint, type PatternBudget } from './pattern-budget.ts'
import { positionsOf } from './positions.ts'
import { splitPattern, type PatternPart } from './split-pattern.ts'
import { leaveOutDisputed, propertiesOf } from './unicode-properties.ts'

/** @throws {RangeError} with a message for the author of the pattern, when it cannot be used */
export function dfaOfPattern(pattern: string, budget: PatternBudget): CharacterDfa {
  if (pattern.length > maxPatternChars) {
    throw new RangeError(
      `a pattern may have ${maxPatternChars} characters, this has ${pattern.length}`,
    )
  }
  checkSyntax(pattern)
  const properties = propertiesOf(pattern)
  budget.takeProperties(properties)
  const expression = parse(splitPattern(pattern).map(wholeSource).join('|'))
  if (properties.length > 0) leaveOutDisputed(expression, properties)
  const { atoms, ...dfa } = determinise(positionsOf(expression, budget), budget)
  return byClasses({ count: atoms.length, ...intervalsOf(atoms), ...minimise(dfa) })
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

function parse(source: string) {
  try {
    return JS.Parser.fromLiteral({ source, flags: 'u' }).parse({
      assertions: 'throw',
      backreferences: 'throw',
      maxNodes: maxPatternPositions,
    }).expression
  } catch (cause) {
    const message =
      'a pattern with something that is not supported: lookaround, \\b, backreferences, ^ and $ but at the ends, or too much of it'
    throw new RangeError(message, { cause })
  }
}

/** Characters of no atom are between those of some, as atom -1. */
function intervalsOf(sets: readonly CharSet[]) {
  const ranges = sets.flatMap((set, atom) => set.ranges.map(({ min, max }) => ({ min, max, atom })))
  ranges.sort((a, b) => a.min - b.min)
  const [starts, atoms]: [number[], number[]] = [[], []]
  let from = 0
  for (const { min, max, atom } of ranges) {
    if (from < min) {
      starts.push(from)
      atoms.push(-1)
    }
    starts.push(min)
    atoms.push(atom)
    from = max + 1
  }
  if (from <= lastCodePoint) return { starts: [...starts, from], atoms: [...atoms, -1] }
  return { starts, atoms }
}
