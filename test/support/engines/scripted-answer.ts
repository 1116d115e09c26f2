import { setTimeout as sleep } from 'node:timers/promises'
import type { AnswerSource, ChatBody, StandInEvent } from './wire.ts'

/** Each word is a token; its id is its place. */
const words = ['A', ' red', ' circle', ' on', ' white', '.']

/** Milliseconds between two tokens. */
const paceMs = 5

/** Says the same to everybody: as many words as were asked for, up to a stop text. */
export const scriptedAnswer: AnswerSource = async function* (body, signal) {
  const { n, max_tokens: maxTokens, stop = [], messages } = body
  const said = words.slice(0, maxTokens)
  const whole = said.join('')
  const found = stop.filter((text) => whole.includes(text))
  const stopText = found.toSorted((a, b) => whole.indexOf(a) - whole.indexOf(b))[0]
  const end = stopText === undefined ? whole.length : whole.indexOf(stopText)
  let at = 0
  for (const [id, word] of said.entries()) {
    await sleep(paceMs, undefined, { signal })
    const text = word.slice(0, Math.max(0, end - at))
    at += word.length
    for (let choice = 0; choice < n; choice++) yield tokenOf(body, choice, id, text)
    if (at > end) break
  }
  const reason = stopText === undefined && maxTokens < words.length ? 'length' : 'stop'
  yield {
    type: 'end',
    endings: Array.from({ length: n }, () => ({ reason, stopText })),
    promptTokens: 10 + messages.length,
    cachedTokens: 4,
    completionTokens: n * said.length,
  }
}

function tokenOf(body: ChatBody, choice: number, id: number, text: string): StandInEvent {
  const top = [
    { id, logprob: -0.5 },
    { id: id + 1, logprob: -1.5 },
  ]
  const logprobs = [{ id, logprob: -0.5, top: top.slice(0, body.top_logprobs ?? 0) }]
  return { type: 'text', choice, text, tokens: id + 1, ...(body.logprobs === true && { logprobs }) }
}
