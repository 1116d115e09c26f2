/** U+2060 WORD JOINER: invisible, and no part of a control token's name. */
const joiner = '\u2060'

/** What can be the name of a control token: all in Kimi-VL's vocabulary look like one of these. */
const candidates = [/<\|[^|<>]{1,64}\|>/g, /\[[^\][]{1,64}\]/g]

/**
 * Makes a function that keeps text from being read as control tokens. An engine elsewhere receives text, not tokens,
 * and encodes whatever looks like a control token as one. Each name is broken by an invisible character behind its
 * first one; all other text stays as it is. Looks at every character a bounded number of times.
 * @throws {RangeError} for a name that it could not find in a text
 */
export function createPlainText(controlNames: Iterable<string>): (text: string) => string {
  const names = new Set(controlNames)
  for (const name of names) {
    if (!candidates.some((candidate) => name.match(candidate)?.[0] === name)) {
      throw new RangeError(`The control token ${name} has a name of an unknown form`)
    }
  }
  const broken = (found: string) =>
    names.has(found) ? found.slice(0, 1) + joiner + found.slice(1) : found
  // One form after the other, because a name may stand within what looks like one of the other form.
  return (text) => candidates.reduce((rest, candidate) => rest.replace(candidate, broken), text)
}
