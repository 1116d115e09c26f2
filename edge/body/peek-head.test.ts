import { expect, it } from 'vitest'
import { heldBody } from './client-body.ts'
import { peekHead, peekedBytes, smallBodyBytes } from './peek-head.ts'

it('looks at all of a small body that is held, and at the beginning of a large one', async () => {
  const small = new Uint8Array(smallBodyBytes)
  expect(await peekHead(heldBody(small))).toMatchObject({ head: small, isWhole: true })
  const large = new Uint8Array(smallBodyBytes + 1)
  const { body, head, isWhole } = await peekHead(heldBody(large))
  expect([head.length, isWhole, body.stream]).toEqual([peekedBytes, false, large])
})
