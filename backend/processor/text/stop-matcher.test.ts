import { describe, expect, it } from 'vitest'
import { StopMatcher } from './stop-matcher.ts'

/** Text cut at the given places, in order, through one matcher. */
function run(stops: string[], text: string, cuts: number[]): { output: string; stopped: boolean } {
  const matcher = new StopMatcher(stops)
  const edges = [0, ...cuts, text.length]
  let output = ''
  for (let i = 1; i < edges.length; i++) output += matcher.push(text.slice(edges[i - 1], edges[i]))
  return { output: output + matcher.flush(), stopped: matcher.stopped }
}

/** By definition: the shortest beginning of the text that ends with a stop string, without the longest such. */
function expected(stops: string[], text: string): { output: string; stopped: boolean } {
  for (let end = 1; end <= text.length; end++) {
    const found = stops.filter((stop) => text.slice(0, end).endsWith(stop))
    if (found.length === 0) continue
    const longest = Math.max(...found.map((stop) => stop.length))
    return { output: text.slice(0, end - longest), stopped: true }
  }
  return { output: text, stopped: false }
}

function* allCuts(length: number): Generator<number[]> {
  for (let mask = 0; mask < 2 ** (length - 1); mask++) {
    yield Array.from({ length: length - 1 }, (_, i) => i + 1).filter((at) => mask & (2 ** (at - 1)))
  }
}

describe('StopMatcher', () => {
  it.each([
    [['END'], 'one ENDing'],
    [['\n\n'], 'a\nb\n\nc'],
    [['aab'], 'aaaabaab'],
    [['abab', 'ba'], 'aababab'],
    [['bcd', 'abcde', 'd'], 'xabcdef'],
    [['abcd', 'bc'], 'zabcd'],
    [['🔴', 'é!'], 'aé?🟠é🔴b'],
    [['none'], 'no non no'],
    [[], 'as it is'],
  ])('cuts %j out of %j wherever the pieces end', (stops, text) => {
    for (const cuts of allCuts(text.length)) {
      expect(run(stops, text, cuts)).toEqual(expected(stops, text))
    }
  })

  it('agrees with the definition on random texts', () => {
    let state = 1
    const random = (below: number) => (state = (state * 48_271) % 2_147_483_647) % below
    const word = (longest: number) =>
      Array.from({ length: 1 + random(longest) }, () => 'ab'[random(2)]).join('')
    for (let round = 0; round < 3_000; round++) {
      const stops = Array.from({ length: 1 + random(4) }, () => `${word(5)}${'abc'[random(3)]}`)
      const text = word(30)
      const cuts = Array.from({ length: 3 }, () => random(text.length)).toSorted((a, b) => a - b)
      expect(run(stops, text, cuts), JSON.stringify({ stops, text, cuts })).toEqual(
        expected(stops, text),
      )
    }
  })

  it('holds back no more than may become a stop string', () => {
    const matcher = new StopMatcher(['stop here', 'stone'])
    expect(matcher.push('I do not sto')).toBe('I do not ')
    expect(matcher.push('re')).toBe('store')
    expect(matcher.push(' st')).toBe(' ')
    expect(matcher.flush()).toBe('st')
  })

  it('drops what comes after the stop string', () => {
    const matcher = new StopMatcher(['.'])
    expect(['A. B', '. C'].map((piece) => matcher.push(piece))).toEqual(['A', ''])
    expect([matcher.flush(), matcher.stopped]).toEqual(['', true])
  })
})
