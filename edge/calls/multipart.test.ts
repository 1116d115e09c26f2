import { describe, expect, it } from 'vitest'
import { formToObject } from '../../shared/api/request/form.ts'
import { generateFields, parseFields } from '../../shared/api/request/request.ts'
import { joinChunks } from '../../shared/bytes/join-chunks.ts'
import { multipartBody } from './multipart.ts'

describe('multipartBody()', () => {
  it('carries every field so that the backend reads the same back', async () => {
    const fields = parseFields(generateFields, {
      prompt: 'Line one\r\nline two',
      system_prompt: '',
      max_tokens: 5,
      temperature: 0,
      top_k: 40,
      repetition_penalty: 1.05,
      logit_bias: { 11: -100, 163585: 2.5 },
      seed: 9,
      n: 2,
      stop: ['\n', 'END', '🔴'],
      logprobs: true,
      top_logprobs: 5,
    })
    const { contentType, chunks } = multipartBody(fields, [])
    const body = new Response(joinChunks(chunks), { headers: { 'content-type': contentType } })
    // oxlint-disable-next-line typescript/no-deprecated -- advised against for large bodies; this one is small
    const form = await body.formData()
    const texts: [string, string][] = []
    form.forEach((value, name) => texts.push([name, value as string]))
    expect(parseFields(generateFields, formToObject(texts))).toEqual(fields)
  })
})
