import { describe, expect, it } from 'vitest'
import type { LoadApi, Workload } from './load-api.ts'
import { nativeApi } from './native-api.ts'
import { openAiApi } from './openai-api.ts'
import { createTally, readAnswer } from './read-answer.ts'

const workload: Workload = { prompt: 'Hi', images: [], maxTokens: 9, temperature: 0 }
const native = nativeApi(workload)
const openAi = openAiApi(workload, 'some-model')

const nativeStream = `event: queued
data: {"request_id":"r","position":0}

event: delta
data: {"text":"A röd 🔴"}

: heartbeat

event: delta
data: {"text":""}

event: delta
data: {"text":" circle"}

event: end
data: {"finish_reason":"stop","usage":{"prompt_tokens":5,"completion_tokens":7},"timings":{}}

`

const openAiStream = `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}

data: {"choices":[{"index":0,"delta":{"content":"A röd 🔴"},"finish_reason":null}]}

data: {"choices":[{"index":0,"delta":{"content":" circle"},"finish_reason":"stop"}],"usage":null}

data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":7}}

data: [DONE]

`

/** The stream in two chunks, split before the byte `at`. */
async function* cut(bytes: Uint8Array, at: number): AsyncGenerator<Uint8Array> {
  yield bytes.slice(0, at)
  yield await Promise.resolve(bytes.slice(at))
}

async function read(api: LoadApi, stream: string, at = 0) {
  const tally = createTally()
  let clockMs = 0
  const tick = () => (clockMs += 10)
  await readAnswer(cut(new TextEncoder().encode(stream), at), api, tally, tick)
  return tally
}

describe('readAnswer()', () => {
  it.each([
    ['native', native, nativeStream, { firstTokenAtMs: 20, lastTokenAtMs: 40, wholeAtMs: 50 }],
    ['OpenAI', openAi, openAiStream, { firstTokenAtMs: 20, lastTokenAtMs: 30, wholeAtMs: 50 }],
    [
      'OpenAI with CR LF',
      openAi,
      openAiStream.replaceAll('\n', '\r\n'),
      { firstTokenAtMs: 20, lastTokenAtMs: 30, wholeAtMs: 50 },
    ],
  ])('reads %s streams wherever they are cut', async (_name, api, stream, times) => {
    const gap = times.lastTokenAtMs - times.firstTokenAtMs
    const expected = { deltas: 2, gapsMs: [gap], completionTokens: 7, ...times }
    const { length } = new TextEncoder().encode(stream)
    for (let at = 0; at <= length; at += 1) {
      expect(await read(api, stream, at), `cut at ${at}`).toEqual(expected)
    }
  })

  it('counts what a thinking model says before its answer', async () => {
    const thought = 'data: {"choices":[{"delta":{"reasoning_content":"Hm"}}]}\n\n'
    expect(await read(openAi, thought + openAiStream)).toMatchObject({ deltas: 3 })
  })

  it('takes an OpenAI stream without [DONE] as whole when it gave a reason to end', async () => {
    const withoutDone = openAiStream.replace('data: [DONE]\n\n', '')
    expect(await read(openAi, withoutDone)).toMatchObject({ wholeAtMs: 30, completionTokens: 7 })
  })

  it.each([
    [native, nativeStream.slice(0, nativeStream.indexOf('event: end')), 'incomplete_stream'],
    [native, 'event: error\ndata: {"error":{"code":"queue_full"}}\n\n', 'queue_full'],
    [native, 'event: delta\ndata: {"text":5}\n\n', 'invalid_answer'],
    [native, '{"output":"whole, though asked to stream"}', 'incomplete_stream'],
    [
      openAi,
      openAiStream.slice(
        0,
        openAiStream.indexOf('data: {"choices":[{"index":0,"delta":{"content":" c'),
      ),
      'incomplete_stream',
    ],
    [openAi, 'data: {"error":{"code":null,"type":"server_error"}}\n\n', 'server_error'],
    [openAi, 'data: {"error":{"code":"\\u001b[2J"}}\n\n', 'error_event'],
    [openAi, 'data: {"choi\n\n', 'invalid_answer'],
  ])('fails with the right code: %#', async (api, stream, code) => {
    await expect(read(api, stream)).rejects.toMatchObject({ code })
  })
})
