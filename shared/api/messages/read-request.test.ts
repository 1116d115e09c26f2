import { describe, expect, it } from 'vitest'
import { readMessagesRequest } from './read-request.ts'

const asking = (thinking: unknown) =>
  readMessagesRequest({
    max_tokens: 100,
    messages: [{ role: 'user', content: 'Hi' }],
    ...(thinking !== undefined && { thinking }),
  })

describe('thinking', () => {
  it('may say how many tokens a thought has', () => {
    const { asked, thoughtWish } = asking({ type: 'enabled', budget_tokens: 1_024 })
    expect(asked.thoughtTokens).toBe(1_024)
    expect(thoughtWish).toEqual({ param: 'thinking', wanted: true })
  })

  it.each([undefined, null, { type: 'adaptive' }, { type: 'enabled', budget_tokens: null }])(
    'need not: %j',
    (thinking) => expect(asking(thinking).asked).not.toHaveProperty('thoughtTokens'),
  )

  it.each([0, -1, 1.5, '1024'])('has a whole number of them, not %j', (budget_tokens) => {
    expect(() => asking({ type: 'enabled', budget_tokens })).toThrow(/^thinking\.budget_tokens: /)
  })
})
