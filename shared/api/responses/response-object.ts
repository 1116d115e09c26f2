import { jsonPieces } from '../wire/json-pieces.ts'

/** The fields of the request that a response repeats. */
export interface ResponseEcho {
  readonly instructions: string | null
  readonly max_output_tokens: number | null
  readonly metadata: object
  readonly temperature: number
  readonly top_p: number
  readonly top_logprobs: number
  readonly text: { readonly format: object }
}

interface ResponseFacts {
  readonly requestId: string
  readonly model: string
  /** Seconds since 1970. */
  readonly createdAt: number
  readonly echo: ResponseEcho
}

/** A response that has only begun. Each field is expected by some client. */
export function newResponse({ requestId, model, createdAt, echo }: ResponseFacts) {
  return {
    id: responseId(requestId),
    object: 'response',
    created_at: createdAt,
    completed_at: null as number | null,
    status: 'in_progress',
    background: false,
    error: null,
    incomplete_details: null as object | null,
    ...echo,
    model,
    output: [] as readonly object[],
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    service_tier: 'default',
    store: false,
    tool_choice: 'auto',
    tools: [],
    truncation: 'disabled',
    usage: null as object | null,
    user: null,
    access_programs: null,
    request_id: requestId,
  }
}

/** For ending a stream without knowing its request. */
export function emptyResponse(requestId: string) {
  return newResponse({
    requestId,
    model: '',
    createdAt: 0,
    echo: {
      instructions: null,
      max_output_tokens: null,
      metadata: {},
      temperature: 1,
      top_p: 1,
      top_logprobs: 0,
      text: { format: { type: 'text' } },
    },
  })
}

function responseId(requestId: string): string {
  return `resp_${requestId}`
}

/** One event of a stream, in pieces, since some repeat the whole answer; its number rises from 0. */
export function* responseEventPieces(
  type: string,
  number: number,
  data: object,
): Generator<string> {
  yield `event: ${type}\ndata: `
  yield* jsonPieces({ type, sequence_number: number, ...data })
  yield '\n\n'
}

/** The same as one text. */
export function formatResponseEvent(type: string, number: number, data: object): string {
  return [...responseEventPieces(type, number, data)].join('')
}
