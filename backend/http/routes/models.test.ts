import { expect, it } from 'vitest'
import { checkModel } from './models.ts'

it('repeats the beginning of a refused name, without half a character at its end', () => {
  const check = (name: string) => () => checkModel({ id: 'kimi', aliases: ['vision'] }, name)
  for (const name of ['kimi', 'vision']) expect(check(name)).not.toThrow()
  expect(check(`${'a'.repeat(99)}😀`)).toThrow(`"${'a'.repeat(99)}\ufffd"`)
})
