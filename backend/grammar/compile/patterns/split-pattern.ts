/** One alternative of a pattern, and the ends at which it is anchored. */
export interface PatternPart {
  readonly source: string
  readonly fromStart: boolean
  readonly toEnd: boolean
}

/**
 * Splits a valid pattern (flag `u`) at its outermost `|`, and removes `^` and `$` from the ends of each part:
 * anywhere else they stay in `source`.
 */
export function splitPattern(pattern: string): PatternPart[] {
  return outermost(pattern).map((part) => {
    const fromStart = part.startsWith('^')
    const toEnd = endsWithDollar(part)
    const source = part.slice(fromStart ? 1 : 0, toEnd ? -1 : undefined)
    return { source, fromStart, toEnd }
  })
}

function outermost(pattern: string): string[] {
  const parts: string[] = []
  let [depth, from] = [0, 0]
  let inClass = false
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]
    if (character === '\\') at += 1
    else if (inClass) inClass = character !== ']'
    else if (character === '[') inClass = true
    else if (character === '(') depth += 1
    else if (character === ')') depth -= 1
    else if (character === '|' && depth === 0) {
      parts.push(pattern.slice(from, at))
      from = at + 1
    }
  }
  return [...parts, pattern.slice(from)]
}

/** A `$` after an odd number of backslashes is a character. */
function endsWithDollar(part: string): boolean {
  const backslashes = /(\\*)\$$/.exec(part)?.[1]
  return backslashes !== undefined && backslashes.length % 2 === 0
}
