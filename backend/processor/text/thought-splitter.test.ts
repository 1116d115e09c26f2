import { describe, expect, it } from 'vitest'
import { expectLinear } from '../../../test/support/expect-linear.ts'
import { ThoughtSplitter } from './thought-splitter.ts'
import { withoutThoughts } from './without-thoughts.ts'

/** All of a text, given in pieces of `size` characters. */
function split(text: string, size: number, reasons = true) {
  const splitter = new ThoughtSplitter(reasons)
  let [thought, answer] = ['', '']
  for (let at = 0; at < text.length; at += size) {
    const part = splitter.push(text.slice(at, at + size))
    thought += part.thought
    answer += part.answer
  }
  splitter.end()
  return [thought, answer]
}

describe('ThoughtSplitter', () => {
  it.each([
    [
      'a thought and an answer',
      '◁think▷\nIt is red.\n\n◁/think▷\n\nRed.\n',
      'It is red.',
      'Red.\n',
    ],
    ['both without blanks', '◁think▷a◁/think▷b', 'a', 'b'],
    ['an answer alone', ' Red. ', '', ' Red. '],
    ['an empty thought', '◁think▷\n\n◁/think▷Red.', '', 'Red.'],
    ['a thought that is cut off', '◁think▷It is ', 'It is', ''],
    ['a thought that is cut off within its end mark', '◁think▷It is◁/thi', 'It is', ''],
    ['a thought that is cut off within its mark', '◁thin', '', ''],
    ['no answer', '◁think▷It is red.◁/think▷\n', 'It is red.', ''],
    ['what looks like an end mark', '◁think▷a ◁/think ◁◁/think▷b', 'a ◁/think ◁', 'b'],
    ['a mark in the thought', '◁think▷a◁think▷b◁/think▷c', 'a◁think▷b', 'c'],
    ['marks in the answer', '◁think▷a◁/think▷b ◁think▷c◁/think▷', 'a', 'b ◁think▷c◁/think▷'],
    ['a mark that does not come first', 'So ◁think▷a◁/think▷b', '', 'So ◁think▷a◁/think▷b'],
    ['an end mark alone', 'a◁/think▷b', '', 'a◁/think▷b'],
    ['what looks like a mark', '◁thing▷', '', '◁thing▷'],
    ['nothing', '', '', ''],
  ])('finds %s, however it is divided', (_what, text, thought, answer) => {
    for (let size = 1; size <= text.length + 1; size++) {
      expect(split(text, size)).toEqual([thought, answer])
    }
  })

  it('leaves everything to the answer of a model that does not think', () => {
    const text = '◁think▷a◁/think▷b'
    expect(split(text, 3, false)).toEqual(['', text])
  })

  it.each([
    ['blanks', '\n'],
    ['beginnings of marks', '◁'],
  ])('takes time in proportion to a thought of %s', (_what, text) => {
    const thoughtOf = (size: number) => `◁think▷a${text.repeat(size)}b◁/think▷c`
    expectLinear(thoughtOf, (thought) => void split(thought, 1), 20_000)
  })
})

describe('withoutThoughts()', () => {
  it('drops them from earlier answers, and from nothing else', () => {
    const say = (text: string) => ({ type: 'text', text }) as const
    const thought = '◁think▷Hm.◁/think▷\nRed.'
    const asked = { role: 'user', content: [say(thought), { type: 'image' }] } as const
    const messages = [
      asked,
      { role: 'assistant', content: [say(thought)] } as const,
      { role: 'assistant', content: [say('◁think▷Hm.'), say('◁/think▷'), say('Blue.')] } as const,
      { role: 'assistant', content: [say('Green.')] } as const,
    ]
    const answers = ['Red.', 'Blue.', 'Green.'].map((text) => ({
      role: 'assistant',
      content: [say(text)],
    }))
    expect(withoutThoughts(messages)).toEqual([asked, ...answers])
  })
})
