import { readFileSync } from 'node:fs'
import { FormData } from 'undici'
import { routes } from '../../../shared/api/routes.ts'
import { createDraws } from '../draws.ts'
import type { SoakCall } from './call.ts'

/** Out of a hundred requests: how many clients leave, and how many requests are invalid. */
const percentLeaving = 10
const percentWrong = 5

const pictures = ['g01.png', 'g02.png', 'g04.png', 'g09.jpg', 'g10.lossy.webp', 'g14.webp'].map(
  (name) => ({ name, bytes: readFileSync(`test/golden/images/${name}`) }),
)
const questions = [
  'What is the capital of France?',
  'Tell me a story about a fox.',
  'Count from 1 to 60.',
  'Hello!',
]
const schema = {
  type: 'object',
  properties: { color: { enum: ['red', 'blue'] }, count: { type: 'integer', maximum: 99 } },
  required: ['color', 'count'],
}

type Fields = Readonly<Record<string, unknown>>

/**
 * Requests of all kinds, in an order determined by `seed`: texts and pictures, complete and streamed, through three
 * APIs, with several choices or a schema; in 10 % the client leaves, 5 % are invalid.
 */
export function createMixedCalls(seed: number): () => SoakCall {
  const { below, oneIn, pick } = createDraws(seed)

  const fields = () => ({
    temperature: pick([0, 0.5, 1]),
    max_tokens: 1 + below(120),
    seed: below(1_000),
    stream: oneIn(2),
  })
  const native = (): Pick<SoakCall, 'path' | 'body' | 'answer' | 'stream'> => {
    const more = { ...fields(), ...(oneIn(10) && { n: 2 }) }
    const rest = { answer: 'native', stream: more.stream } as const
    if (oneIn(2)) {
      const format = oneIn(6) && { response_format: jsonFormat }
      return { ...rest, ...textCall({ prompt: pick(questions), ...more, ...format }) }
    }
    const images = Array.from({ length: oneIn(4) ? 2 : 1 }, () => pick(pictures))
    return { ...rest, ...imageCall({ prompt: 'Describe this image.', ...more }, images) }
  }
  const conversation = (): Pick<SoakCall, 'path' | 'body' | 'answer' | 'stream'> => {
    const picture = oneIn(2) ? pick(pictures) : undefined
    const more = fields()
    const { stream } = more
    if (oneIn(2)) {
      const { seed: _seed, ...known } = more
      const body = JSON.stringify({ ...known, messages: messagesTurns(pick(questions), picture) })
      return { path: routes.messages.path, body, answer: 'messages', stream }
    }
    const options = stream ? { stream_options: { include_usage: true } } : {}
    const messages = chatTurns(pick(questions), picture)
    const body = JSON.stringify({ ...more, ...options, messages })
    return { path: routes.chat.path, body, answer: 'chat', stream }
  }

  return () => {
    const share = below(100)
    if (share < percentWrong) return { ...pick(wrongCalls()), role: 'errs' }
    const call = oneIn(3) ? conversation() : native()
    const leaves = share < percentWrong + percentLeaving
    if (!leaves) return { ...call, role: 'stays' }
    return { ...call, role: 'leaves', leavesAt: below(50) / 100 }
  }
}

const jsonFormat = { type: 'json_schema', json_schema: { name: 'answer', schema } }

interface Picture {
  readonly name: string
  readonly bytes: Uint8Array<ArrayBuffer>
}

function textCall(fields: Fields) {
  return { path: routes.text.path, body: JSON.stringify(fields) }
}

function imageCall(fields: Fields, images: readonly Picture[]) {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.append(name, String(value))
  for (const { name, bytes } of images) form.append('images', new Blob([bytes]), name)
  return { path: routes.image.path, body: form }
}

function chatTurns(text: string, picture: Picture | undefined) {
  const image = picture && { type: 'image_url', image_url: { url: dataUri(picture) } }
  return [{ role: 'user', content: [...(image ? [image] : []), { type: 'text', text }] }]
}

function messagesTurns(text: string, picture: Picture | undefined) {
  const source = picture && {
    type: 'base64',
    media_type: mediaType(picture),
    data: Buffer.from(picture.bytes).toString('base64'),
  }
  const image = source && { type: 'image', source }
  return [{ role: 'user', content: [...(image ? [image] : []), { type: 'text', text }] }]
}

function mediaType({ name }: Picture): string {
  const ending = name.split('.').at(-1)!
  return `image/${ending === 'jpg' ? 'jpeg' : ending}`
}

function dataUri(picture: Picture): string {
  return `data:${mediaType(picture)};base64,${Buffer.from(picture.bytes).toString('base64')}`
}

/** Mistakes that clients make, each with the error that reports it. */
function wrongCalls(): readonly Omit<SoakCall, 'role'>[] {
  const native = { answer: 'native', stream: false } as const
  const hello = { prompt: 'Hello!' }
  const garbage = { name: 'a.png', bytes: new Uint8Array(1_000).fill(7) }
  const cut = { name: 'cut.png', bytes: pictures[0]!.bytes.subarray(0, 60) }
  return [
    { ...native, ...textCall({ ...hello, temperature: 9 }), refusal: 'invalid_field' },
    { ...native, path: routes.text.path, body: '{"prompt": ', refusal: 'invalid_json' },
    {
      ...native,
      ...textCall({ prompt: 'a b '.repeat(20_000) }),
      refusal: 'context_length_exceeded',
    },
    { ...native, ...imageCall(hello, []), refusal: 'missing_images' },
    { ...native, ...imageCall(hello, [garbage]), refusal: 'unsupported_image' },
    { ...native, ...imageCall(hello, [cut]), refusal: 'invalid_image' },
    { ...native, ...textCall({ ...hello, response_format: badFormat }), refusal: 'invalid_schema' },
    { ...native, path: '/generate/nothing', body: '{}', refusal: 'not_found' },
  ]
}

const badFormat = {
  type: 'json_schema',
  json_schema: { name: 'answer', schema: { type: 'no such type' } },
}
