import { describe, expect, it } from 'vitest'
import { createRandom } from '../../../engine/sampling/random.ts'
import { PatternString } from '../../pieces/pattern-string.ts'
import type { CharacterDfa } from './character-classes.ts'
import { dfaOfOthers } from './other-texts.ts'
import { PatternBudget } from './pattern-budget.ts'
import { dfaOfPattern } from './pattern-dfa.ts'
import { patternTables } from './pattern-tables.ts'

/** Returns a function that says whether the JSON of a text without lone surrogates may be written. */
function taker(dfa: CharacterDfa, min = 0, max = Infinity): (text: string) => boolean {
  const piece = new PatternString(patternTables(dfa, { min, max })!)
  return (text) => {
    let state = piece.start
    for (const byte of Buffer.from(JSON.stringify(text))) {
      state = piece.step(state, byte)
      if (state < 0) return false
    }
    return piece.isDone(state)
  }
}

const patterns = [
  '^[A-Z]{2}-[0-9]{1,3}$',
  'ab+',
  '^a|b$',
  '^(?:a|b)$',
  'a|^b|c$',
  '\\$$',
  '\\\\$',
  '[|$^]',
  '(a|b)\\|c',
  '^\\p{L}+$',
  '^.{1,4}$',
  '^[^a-z]{1,4}$',
  '^["\\\\]{1,2}$',
  '^[\\u0000-\\u001f]{1,3}$',
  '\\s',
  '^(a|b)\\1$',
  '^(?:a?b?){2,3}$',
  '^(?:a*|c){2,7}b$',
  '^(?:){3,9}c?$',
  '^a{2,}b{0}$',
  '^(?:ab?|b){0,2}c*$',
  'a[]b|c',
  '^$',
  '',
]

describe('patternTables()', () => {
  it.each(patterns)('takes what %s matches, and nothing else', (pattern) => {
    const random = createRandom(2)
    const takes = taker(dfaOfPattern(pattern, new PatternBudget()))
    const expression = new RegExp(pattern, 'u')
    const letters = Array.from('ab|$^c\\"\n\t\u0001Z-1é你😀 ')
    const word = () =>
      Array.from(
        { length: Math.floor(random() * 4) },
        () => letters[Math.floor(random() * letters.length)],
      ).join('')
    const texts = [
      '',
      'a',
      'b',
      'c',
      'AB-12',
      'abb',
      '$',
      '\\',
      ...Array.from({ length: 60 }, word),
    ]
    for (const text of texts) expect([text, takes(text)]).toEqual([text, expression.test(text)])
  })

  it('repeats what is empty as often as one likes', () => {
    const takes = taker(dfaOfPattern('^(?:(?:|){999999999}a?){2}$', new PatternBudget()))
    expect(['', 'a', 'aa', 'aaa'].map(takes)).toEqual([true, true, true, false])
  })

  it('counts code points', () => {
    const dfa = dfaOfPattern('^[a😀]*$', new PatternBudget())
    const lengths = ['', 'a', '😀😀', 'a😀a', '😀😀😀😀'].map(taker(dfa, 1, 3))
    expect(lengths).toEqual([false, true, true, true, false])
    expect(taker(dfa, 4)('a'.repeat(9))).toBe(true)
    expect(taker(dfa, 4)('aaa')).toBe(false)
  })

  it('has nothing where lengths and pattern exclude each other', () => {
    expect(
      patternTables(dfaOfPattern('^a{5}$', new PatternBudget()), { min: 0, max: 4 }),
    ).toBeUndefined()
  })

  it('takes all texts but some', () => {
    const takes = taker(dfaOfOthers(['a', 'ab', 'é"', '']))
    const taken = ['a', 'ab', 'é"', '', 'b', 'abc', 'é', '😀'].filter(takes)
    expect(taken).toEqual(['b', 'abc', 'é', '😀'])
  })

  it.each([
    ['^(?=.*[0-9])[a-z0-9]{3,5}$', 'lookaround'],
    ['^(a+)\\1$', 'backreferences'],
    ['^a\\b.b$', '\\b'],
    ['a^b', '^ and $'],
    ['(', 'regular expression'],
    ['(a|b)*a(a|b){14}', 'states'],
    ['^((x{1,30}){1,30}){1,30}$', 'states'],
    ['^(a|b|c){1,1000000}$', 'not supported'],
    ['a'.repeat(1_001), '1000 characters'],
  ])('refuses %s', (pattern, reason) => {
    let refusal: unknown
    try {
      dfaOfPattern(pattern, new PatternBudget())
    } catch (error) {
      refusal = error
    }
    expect(refusal).toBeInstanceOf(RangeError)
    expect(`not supported ${String(refusal)}`).toContain(reason)
  })
})
