import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

/** What a stand-in does wrong. Those with a status answer with it; `slow_headers` and `drip` are late but right. */
export const misbehaviours = [
  'stall_before_headers',
  'stall_before_token',
  'stall_mid_stream',
  'cut_before_headers',
  'cut_mid_stream',
  'status_400_context',
  'status_400',
  'status_401',
  'status_429',
  'status_500',
  'status_503',
  'error_after_200',
  'error_object_after_200',
  'not_json',
  'not_utf8',
  'no_done',
  'no_finish',
  'aborted',
  'wrong_type',
  'html',
  'endless_line',
  'endless_comments',
  'endless_roles',
  'endless_text',
  'wrong_model',
  'wrong_choice',
  'text_after_end',
  'no_usage',
  'false_usage',
  'slow_headers',
  'drip',
] as const
export type Misbehaviour = (typeof misbehaviours)[number]

/** Milliseconds by which the slow ones are late. */
const lateMs = 150

/** Sends an answer, and goes wrong after its first text as it was told. Resolves when it has nothing more to send. */
export async function misbehave(
  wrong: Misbehaviour | undefined,
  response: ServerResponse,
  chunks: AsyncIterable<string>,
): Promise<void> {
  const status = /^status_(\d+)/.exec(wrong ?? '')?.[1]
  if (status !== undefined) return refuse(response, Number(status), wrong!)
  if (wrong === 'stall_before_headers') return
  if (wrong === 'cut_before_headers') return void response.destroy()
  if (wrong === 'slow_headers') await sleep(lateMs)
  response.writeHead(200, {
    'content-type':
      wrong === 'wrong_type' ? 'application/json' : 'text/event-stream; charset=utf-8',
  })
  response.flushHeaders()
  if (wrong === 'stall_before_token') return
  if (wrong === 'html') return void response.end('<html><body>Please log in</body></html>')
  let texts = 0
  for await (const data of chunks) {
    if (/"content":"[^"]/.test(data)) texts += 1
    const turn = wrong === undefined ? undefined : turns[wrong]
    if (texts === 2 && turn !== undefined) return void (await turn(response))
    await write(response, changed(wrong, data), wrong === 'drip')
  }
  response.end()
}

const wholeError = 'data: {"error":{"message":"CUDA error at /opt/secret","code":500}}\n\n'
const role = 'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
const word = 'data: {"choices":[{"index":0,"delta":{"content":" and"}}]}\n\n'
const done = 'data: [DONE]\n\n'

type Turn = (response: ServerResponse) => unknown

/** What comes in place of the second text and of everything after it. */
const turns: Readonly<Partial<Record<Misbehaviour, Turn>>> = {
  stall_mid_stream: () => undefined,
  cut_mid_stream: (response) => response.destroy(),
  error_after_200: (response) => response.end(wholeError + done),
  error_object_after_200: (response) =>
    response.end(`data: {"object":"error","message":"CUDA error"}\n\n${done}`),
  not_json: (response) => response.end(`data: {"choices":[{"ind\n\n${done}`),
  not_utf8: (response) => response.end(Buffer.from('data:\xff\xfe\n\n', 'latin1')),
  endless_line: (response) => pour(response, 'x'.repeat(65_536), 'data: '),
  endless_comments: (response) => pour(response, ': still here\n\n'),
  endless_roles: (response) => pour(response, role),
  endless_text: (response) => pour(response, word),
}

/** Sends for as long as somebody reads. */
async function pour(response: ServerResponse, next: string, first = ''): Promise<void> {
  response.write(first)
  while (!response.destroyed) {
    response.write(next)
    await sleep(2)
  }
}

function changed(wrong: Misbehaviour | undefined, data: string): string | undefined {
  if (wrong === 'no_done' && data === '[DONE]') return undefined
  if (wrong === 'no_finish' && /"finish_reason":"/.test(data)) return undefined
  if (wrong === 'aborted') return data.replace(/"finish_reason":"\w+"/, '"finish_reason":"abort"')
  if (wrong === 'wrong_model') return data.replace(/"model":"[^"]*"/, '"model":"another"')
  if (wrong === 'wrong_choice') return data.replace('"index":0', '"index":9')
  if (wrong === 'no_usage') {
    return data.includes('"choices":[]') ? undefined : data.replace(/,"usage":\{[^}]*\}/, '')
  }
  if (wrong === 'false_usage')
    return data.replaceAll(/"completion_tokens":\d+/g, '"completion_tokens":1000000')
  if (wrong === 'text_after_end' && data === '[DONE]') {
    return '{"choices":[{"index":0,"delta":{"content":"more"}}]}'
  }
  return data
}

async function write(
  response: ServerResponse,
  data: string | undefined,
  drips: boolean,
): Promise<void> {
  if (data === undefined) return
  const bytes = Buffer.from(`data: ${data}\n\n`)
  if (!drips) return void response.write(bytes)
  for (const byte of bytes) {
    response.write(Uint8Array.of(byte))
    if (byte === 0x7d) await sleep(1)
  }
}

function refuse(response: ServerResponse, status: number, wrong: Misbehaviour): void {
  const message =
    wrong === 'status_400_context'
      ? "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens."
      : 'Something at /opt/secret is wrong'
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(status === 429 && { 'retry-after': '7' }),
  })
  response.end(JSON.stringify({ error: { message, type: 'BadRequestError', code: status } }))
}
