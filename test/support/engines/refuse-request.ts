import type { ChatBody, StandInKind } from './wire.ts'

interface Refusal {
  readonly message: string
  readonly type: string
  readonly code: number
}

/** What the real engines refuse, as their sources have it; and what no request of ours may have. */
export function refusalOf(
  kind: StandInKind,
  names: readonly string[],
  body: ChatBody,
): Refusal | undefined {
  const message = problemOf(kind, body)
  if (!names.includes(body.model)) {
    return { message: `The model ${body.model} does not exist.`, type: 'NotFoundError', code: 404 }
  }
  return message === undefined ? undefined : { message, type: 'BadRequestError', code: 400 }
}

function problemOf(kind: StandInKind, body: ChatBody): string | undefined {
  const { n, temperature, top_k, messages } = body
  if (kind === 'vllm' && temperature === 0 && n > 1) return 'n must be 1 when using greedy sampling'
  if (kind === 'sglang' && top_k === 0) return 'top_k must be -1 (disable) or at least 1, got 0.'
  if (kind === 'other' && top_k !== undefined)
    return 'Unrecognized request argument supplied: top_k'
  const parts = messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content))
  const isUrl = parts.some(
    (part) => part.type === 'image_url' && !part.image_url.url.startsWith('data:image/png;base64,'),
  )
  if (isUrl) return 'The URL must not be fetched'
  // A real engine would take it for the end of a message.
  const texts = [
    ...messages.map(({ content }) => (typeof content === 'string' ? content : '')),
    ...parts.map((part) => (part.type === 'text' ? part.text : '')),
  ]
  return /<\|[a-z_]+\|>|\[EOS\]/.test(texts.join('\n')) ? 'A control token in the text' : undefined
}
