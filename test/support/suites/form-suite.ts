import { readFileSync } from 'node:fs'
import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { expect, it } from 'vitest'
import type { RunningEdge } from './edge-suite.ts'
import { expectError } from '../expect-error.ts'
import type { RecordingBackend } from '../backends/recording-backend.ts'

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

  it.each([
    [15_000, 'invalid_field', 'logit_bias: at most 1024 token ids are allowed'],
    [150_000, 'invalid_json', 'The request body has more than 16384 different field names'],
  ])('POST /generate/text refuses %d biases', async (length, code, message) => {
    const biases = Object.fromEntries(Array.from({ length }, (_, id) => [id, 1] as const))
    const response = await postJson('/generate/text', { prompt: 'a', logit_bias: biases })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { code, message } })
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

  /** @returns the status line, or nothing when the connection was closed without one */
  const sendRaw = async (headers: string, body: string) => {
    const { port, hostname } = new URL(edge().url)
    const socket = connect(Number(port), hostname)
    let received = ''
    socket.setEncoding('utf8').on('data', (text: string) => (received += text))
    socket.on('error', () => undefined)
    const head = `POST /generate/text HTTP/1.1\r\nHost: a\r\nX-API-Key: ${apiKey}\r\nContent-Type: application/json\r\n`
    socket.write(`${head}${headers}\r\n\r\n${body}`)
    await Promise.race([once(socket, 'close'), once(socket, 'data')])
    socket.destroy()
    return received.split('\r\n')[0]!
  }

  it.each(['abc', '-1', '1e3', '0x10', '14, 15', '+14', '99999999999999999999'])(
    'refuses Content-Length: %s',
    async (length) => {
      const status = await sendRaw(`Content-Length: ${length}`, '{"prompt":"Hi"}')
      // A local workerd itself answers 500.
      expect(status).toMatch(/^(HTTP\/1\.1 (4\d\d|500) .*)?$/)
      expect(backend().seen).toHaveLength(0)
    },
  )

  it.each([
    [
      'chunks of one byte',
      '{"prompt":"Hi"}'
        .split('')
        .map((byte) => `1\r\n${byte}\r\n`)
        .join(''),
      200,
    ],
    ['nothing but the last chunk', '', 400],
  ])('reads %s', async (_what, chunks, expected) => {
    const status = await sendRaw('Transfer-Encoding: chunked', `${chunks}0\r\n\r\n`)
    expect(status).toMatch(new RegExp(`^HTTP/1.1 ${expected} `))
  })

  it('ends a body at a chunk of 0 bytes, and takes nothing behind it for a request', async () => {
    const json = '{"prompt":"Hi"}'
    const chunk = `${json.length.toString(16)}\r\n${json}\r\n0\r\n\r\n`
    const status = await sendRaw('Transfer-Encoding: chunked', `${chunk}0\r\n\r\n`)
    expect(status).toMatch(/ (200|400) /)
    expect(backend().seen.length).toBeLessThanOrEqual(1)
  })

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

  it.each([
    ['refused for its length', '/generate/image', 'Content-Length: 300000000', 413],
    ['refused for its key', '/generate/text', 'X-API-Key: wrong\r\nContent-Length: 100000', 401],
  ])(
    'closes the connection of a body %s whose client neither sends it nor leaves',
    async (_why, path, headers, expected) => {
      const { port, hostname } = new URL(edge().url)
      const socket = connect(Number(port), hostname)
      socket.on('error', () => undefined)
      let received = ''
      socket.setEncoding('utf8').on('data', (text: string) => (received += text))
      const key = headers.includes('X-API-Key') ? '' : `X-API-Key: ${apiKey}\r\n`
      const type =
        path === '/generate/text' ? 'application/json' : 'multipart/form-data; boundary=x'
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: a\r\n${key}Content-Type: ${type}\r\n${headers}\r\n\r\n--x`,
      )
      await once(socket, 'close')
      expect(received).toMatch(new RegExp(`^HTTP/1.1 ${expected} `))
      expect(backend().seen).toHaveLength(0)
    },
    30_000,
  )
}
