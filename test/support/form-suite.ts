import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { expect, it } from 'vitest'
import type { RunningEdge } from './edge-suite.ts'
import { expectError } from './expect-error.ts'
import type { RecordingBackend } from './recording-backend.ts'

type Send<Body> = (path: string, body: Body, headers?: Record<string, string>) => Promise<Response>

interface FormSuite {
  readonly apiKey: string
  readonly edge: () => RunningEdge
  readonly backend: () => RecordingBackend
  readonly post: Send<RequestInit['body']>
  readonly postJson: Send<unknown>
}

const part = (disposition: string, value: string) =>
  `--b1\r\nContent-Disposition: form-data;${disposition}\r\n\r\n${value}\r\n`
const privateUrl = 'http://127.0.0.1/x.png'
const form = `${part(' name="prompt"', 'D')}${part(' name="image_url"', privateUrl)}--b1--\r\n`
const multipart = 'multipart/form-data; boundary=b1'
const urlEncoded = 'application/x-www-form-urlencoded'

/**
 * Behaviour towards odd bodies, on every platform of the edge. A form that is understood is rejected for the address
 * in it.
 */
export function describeForms({ apiKey, edge, backend, post, postJson }: FormSuite): void {
  it.each([
    ['without quotes, as .NET sends it', 'multipart/form-data; boundary="b1"', 'url_form_1.bin'],
    ['without quotes in one part', multipart, 'url_form_2.bin'],
    ['without blanks', multipart, 'url_form_3.bin'],
  ])('POST /generate/image_url understands a form %s', async (_what, type, file) => {
    const body = readFileSync(`test/cases/files/${file}`)
    const response = await post('/generate/image_url', body, { 'content-type': type })
    await expectError(response, 400, 'image_url_refused')
  })

  it.each([
    ['with blanks behind boundaries', multipart, form.replaceAll('--b1\r\n', '--b1  \r\n')],
    ['with line feeds only', multipart, form.replaceAll('\r\n', '\n')],
    ['with an index', multipart, form.replace('"image_url"', '"image_url[0]"')],
    ['with an index, URL-encoded', urlEncoded, `prompt=D&image_url%5B0%5D=${privateUrl}`],
    [
      'in base64',
      multipart,
      form.replace(
        `\r\n\r\n${privateUrl}`,
        `\r\nContent-Transfer-Encoding: base64\r\n\r\n${btoa(privateUrl)}`,
      ),
    ],
  ])('POST /generate/image_url understands a form %s', async (_what, type, body) => {
    const response = await post('/generate/image_url', body, { 'content-type': type })
    await expectError(response, 400, 'image_url_refused')
  })

  it.each([
    ['10,000 parts', '--b1\r\n\r\na\r\n'.repeat(10_000), 'invalid_multipart'],
    ['a header of 1 MB', `--b1\r\na: ${'a'.repeat(1_000_000)}`, 'invalid_multipart'],
    ['another boundary', form.replaceAll('--b1', '--b2'), 'invalid_multipart'],
    ['no end', form.slice(0, -10), 'invalid_multipart'],
    ['two prompts', part(' name=prompt', 'E') + form, 'invalid_field'],
    ['a file', part(' name=images; filename=a', 'E') + form, 'invalid_field'],
  ])('POST /generate/image_url refuses a form with %s', async (_what, body, code) => {
    const response = await post('/generate/image_url', body, { 'content-type': multipart })
    await expectError(response, 400, code)
    expect(backend().seen).toHaveLength(0)
  })

  it.each([
    ['deep nesting', '['.repeat(2_000_000), 'invalid_json'],
    [
      'a number of 2 MB',
      `{"prompt":"a","temperature":"${'1'.repeat(2_000_000)}"}`,
      'invalid_field',
    ],
  ])('POST /generate/text refuses %s', async (_what, body, code) => {
    const response = await post('/generate/text', body, { 'content-type': 'application/json' })
    await expectError(response, 400, code)
    expect(backend().seen).toHaveLength(0)
  })

  it('POST /generate/text refuses too many biases', async () => {
    const biases = Object.fromEntries(Array.from({ length: 150_000 }, (_, id) => [id, 1] as const))
    const response = await postJson('/generate/text', { prompt: 'a', logit_bias: biases })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      error: { code: 'invalid_field', message: 'logit_bias: at most 1024 token ids are allowed' },
    })
  })

  it('refuses a number of 2 MB in a form', async () => {
    const body = `prompt=a&image_url=${privateUrl}&temperature=${'1'.repeat(2_000_000)}x`
    const response = await post('/generate/image_url', body, { 'content-type': urlEncoded })
    const { param } = await expectError(response, 400, 'invalid_field')
    expect(param).toBe('temperature')
  })

  it.each(['\u0000', '\ud800', '\u202e', `a${'\u0301'.repeat(500_000)}`])(
    'passes odd characters of a prompt on, %#',
    async (prompt) => {
      expect((await postJson('/generate/text', { prompt })).status).toBe(200)
      const seen = JSON.parse((await (await backend().lastSeen()).body).toString()) as object
      expect(seen).toMatchObject({ prompt })
    },
  )

  it('takes a body whose client asks for 100 Continue, and sends it anyway after a while', async () => {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = {
        'x-api-key': apiKey,
        'content-type': 'application/json',
        expect: '100-continue',
      }
      const call = request(`${edge().url}/generate/text`, { method: 'POST', headers })
      const send = () => void call.end('{"prompt":"Hi"}')
      const timer = setTimeout(send, 500)
      call.on('continue', () => {
        clearTimeout(timer)
        send()
      })
      call.on('response', (response) => resolve(response.resume().statusCode))
      call.on('error', reject)
      call.flushHeaders()
    })
    expect(status).toBe(200)
  })
}
