import type * as z from 'zod'
import type { ErrorCode } from '../../shared/api/errors.ts'
import { listKeysQuery } from '../../shared/api/keys.ts'
import type { EdgeRouteName } from '../../shared/api/routes.ts'
import { usageQuery } from '../../shared/api/usage.ts'
import type { SchemaName } from './components.ts'
import { asking, fromBackend, withBody, withForm, withImages, withUrls } from './route-errors.ts'

type BodyType = 'application/json' | 'multipart/form-data' | 'application/x-www-form-urlencoded'

/** Server-sent events: what they are, and event name -> schema of its data (`message` where they have no name). */
interface StreamDoc {
  readonly description: string
  readonly events: Readonly<Record<string, SchemaName>>
}

/** In the order in which people look for them. */
export const routeTags = [
  'Ask',
  'OpenAI',
  'Anthropic',
  'Agents',
  'Administration',
  'Probes',
  'About',
] as const

export interface RouteDoc {
  readonly tag: (typeof routeTags)[number]
  readonly summary: string
  readonly description?: string
  readonly query?: z.ZodObject
  readonly body?: Partial<Record<BodyType, SchemaName>>
  readonly bodyIsOptional?: boolean
  /** A body that is accepted. In forms, `@` stands for the content of a file. */
  readonly example?: unknown
  /** Status -> body. Statuses of errors follow from `errors`. */
  readonly answers: Readonly<Record<number, SchemaName>>
  /** Statuses of answers without a body. */
  readonly emptyAnswers?: readonly number[]
  /** JSON unless it says. */
  readonly answerType?: 'application/json' | 'text/plain' | 'text/html' | 'text/javascript'
  /** Other forms of a good answer. */
  readonly otherTypes?: Partial<Record<'text/html' | 'text/css', SchemaName>>
  readonly stream?: StreamDoc
  /** Whether the headers `Idempotency-Key` and `x-describe-backend-hint` are looked at, and limits told. */
  readonly asks?: boolean
  /** Beside those of every route, and of every route with a key. */
  readonly errors: readonly ErrorCode[]
  /** The body of errors where it has a form of its own. */
  readonly errorBody?: SchemaName
}

const nativeStream: StreamDoc = {
  description:
    'Sent when `stream` is true, or, where it is absent, when `Accept` asks for it. `queued`; `delta` as often as text comes; at last `end` or `error`. Lines that begin with a colon are comments.',
  events: { queued: 'StreamQueued', delta: 'StreamDelta', end: 'StreamEnd', error: 'Error' },
}

const chatStream: StreamDoc = {
  description:
    'Sent when `stream` is true: `data:` with a chunk as often as text comes, then `data: [DONE]`. After a failure the last data is an error, and `[DONE]` does not come.',
  events: { message: 'ChatChunk' },
}

const responsesStream: StreamDoc = {
  description:
    'Sent when `stream` is true: `response.created` first, `response.output_text.delta` as often as text comes, at last `response.completed` or `response.incomplete`; after a failure `response.failed`, then `error`.',
  events: {
    'response.created': 'ResponseStateEvent',
    'response.in_progress': 'ResponseStateEvent',
    'response.output_item.added': 'ResponseItemEvent',
    'response.content_part.added': 'ResponsePartEvent',
    'response.output_text.delta': 'ResponseTextDelta',
    'response.output_text.done': 'ResponseTextDone',
    'response.content_part.done': 'ResponsePartEvent',
    'response.output_item.done': 'ResponseItemEvent',
    'response.completed': 'ResponseStateEvent',
    'response.incomplete': 'ResponseStateEvent',
    'response.failed': 'ResponseStateEvent',
    error: 'ResponseErrorEvent',
  },
}

const messagesStream: StreamDoc = {
  description:
    'Sent when `stream` is true: `message_start` first, `content_block_delta` as often as text comes, at last `message_stop`; after a failure `error`.',
  events: {
    message_start: 'MessageStart',
    content_block_start: 'ContentBlockStart',
    ping: 'MessagePing',
    content_block_delta: 'ContentBlockDelta',
    content_block_stop: 'ContentBlockStop',
    message_delta: 'MessageDelta',
    message_stop: 'MessageStop',
    error: 'MessagesError',
  },
}

/** What counting and answering a conversation have in common. */
const reading = [...withImages, ...withUrls, 'unsupported_field', 'model_not_found'] as const
const conversation = [...asking, ...reading]
const counting = [
  ...withBody,
  ...fromBackend,
  ...reading,
  'quota_exceeded',
  'limits_unavailable',
  'deadline_exceeded',
] as const

const mcpStream: StreamDoc = {
  description: 'Progress, if requested, then the answer.',
  events: { message: 'McpAnswer' },
}

const nullNote = 'In JSON, null counts as not sent. Unknown fields are ignored.'

/** What the document says of each route beside its method, path and scope. */
export const routeDocs: Record<EdgeRouteName, RouteDoc> = {
  text: {
    tag: 'Ask',
    summary: 'Answer a prompt',
    description: nullNote,
    body: { 'application/json': 'TextRequest' },
    example: { prompt: 'What is the capital of France?', temperature: 0 },
    answers: { 200: 'Answer' },
    stream: nativeStream,
    asks: true,
    errors: asking,
  },
  image: {
    tag: 'Ask',
    summary: 'Answer a prompt about uploaded images',
    description: 'In a form every value is text: `logit_bias` as JSON, `stop` once for each text.',
    body: { 'multipart/form-data': 'ImageForm' },
    example: { prompt: 'Describe this image.', images: '@picture.png' },
    answers: { 200: 'Answer' },
    stream: nativeStream,
    asks: true,
    errors: [...asking, ...withForm, ...withImages, 'missing_images'],
  },
  imageUrl: {
    tag: 'Ask',
    summary: 'Answer a prompt about images at URLs',
    description: `${nullNote} In a form every value is text: \`logit_bias\` as JSON, \`image_url\` and \`stop\` once for each text.`,
    body: {
      'application/json': 'ImageUrlRequest',
      'application/x-www-form-urlencoded': 'ImageUrlRequest',
      'multipart/form-data': 'ImageUrlRequest',
    },
    example: {
      prompt: 'Describe this image.',
      image_url: 'https://example.com/picture.png',
    },
    answers: { 200: 'Answer' },
    stream: nativeStream,
    asks: true,
    errors: [...asking, ...withForm, ...withImages, ...withUrls],
  },
  chat: {
    tag: 'OpenAI',
    summary: 'Answer a conversation',
    description: `As OpenAI's chat completions. ${nullNote}`,
    body: { 'application/json': 'ChatRequest' },
    example: {
      model: 'kimi-vl',
      messages: [{ role: 'user', content: 'What is the capital of France?' }],
    },
    answers: { 200: 'ChatCompletion' },
    stream: chatStream,
    asks: true,
    errors: conversation,
  },
  chatTokens: {
    tag: 'OpenAI',
    summary: 'Count the tokens of a conversation, without an answer',
    body: { 'application/json': 'ChatRequest' },
    example: {
      model: 'kimi-vl',
      messages: [{ role: 'user', content: 'What is the capital of France?' }],
    },
    answers: { 200: 'InputTokens' },
    errors: counting,
  },
  responses: {
    tag: 'OpenAI',
    summary: 'Answer a conversation; nothing is stored',
    description: `As OpenAI's responses. ${nullNote}`,
    body: { 'application/json': 'ResponsesRequest' },
    example: { model: 'kimi-vl', input: 'What is the capital of France?' },
    answers: { 200: 'Response' },
    stream: responsesStream,
    asks: true,
    errors: conversation,
  },
  responsesTokens: {
    tag: 'OpenAI',
    summary: 'Count the tokens of a conversation, without an answer',
    body: { 'application/json': 'ResponsesRequest' },
    example: { model: 'kimi-vl', input: 'What is the capital of France?' },
    answers: { 200: 'InputTokens' },
    errors: counting,
  },
  response: {
    tag: 'OpenAI',
    summary: 'Nothing: responses are not stored',
    answers: {},
    errors: ['not_found'],
  },
  messages: {
    tag: 'Anthropic',
    summary: 'Answer a conversation',
    description: `As Anthropic's messages. ${nullNote}`,
    body: { 'application/json': 'MessagesRequest' },
    example: {
      model: 'kimi-vl',
      max_tokens: 500,
      messages: [{ role: 'user', content: 'What is the capital of France?' }],
    },
    answers: { 200: 'Message' },
    stream: messagesStream,
    asks: true,
    errors: conversation,
    errorBody: 'MessagesError',
  },
  messagesTokens: {
    tag: 'Anthropic',
    summary: 'Count the tokens of a conversation, without an answer',
    body: { 'application/json': 'MessageTokensRequest' },
    example: {
      model: 'kimi-vl',
      messages: [{ role: 'user', content: 'What is the capital of France?' }],
    },
    answers: { 200: 'MessageTokens' },
    errors: counting,
    errorBody: 'MessagesError',
  },
  mcp: {
    tag: 'Agents',
    summary: 'Serve tools to an agent',
    description:
      'One message of the Model Context Protocol (streamable HTTP). A failure within a tool is its result.',
    body: { 'application/json': 'McpMessage' },
    example: { jsonrpc: '2.0', id: 1, method: 'tools/list' },
    answers: { 200: 'McpAnswer' },
    emptyAnswers: [202],
    stream: mcpStream,
    errors: [
      ...withBody,
      ...fromBackend,
      'forbidden_origin',
      'quota_exceeded',
      'queue_full',
      'limits_unavailable',
      'deadline_exceeded',
    ],
    errorBody: 'McpError',
  },
  models: {
    tag: 'OpenAI',
    summary: 'List the names of the model that runs',
    answers: { 200: 'ModelList' },
    errors: fromBackend,
  },
  model: {
    tag: 'OpenAI',
    summary: 'Show the model under one of its names',
    answers: { 200: 'Model' },
    errors: [...fromBackend, 'model_not_found'],
  },
  health: {
    tag: 'Probes',
    summary: 'Whether a request would be answered now',
    answers: { 200: 'Health', 503: 'Health' },
    errors: [],
  },
  livez: {
    tag: 'Probes',
    summary: 'Whether the process answers anything',
    answers: { 200: 'Alive' },
    errors: [],
  },
  readyz: {
    tag: 'Probes',
    summary: 'Whether requests may be sent here, check by check',
    answers: { 200: 'Readiness', 503: 'Readiness' },
    errors: [],
  },
  index: {
    tag: 'About',
    summary: 'The name, the public routes and the path of this document',
    description: 'Where `Accept` asks for HTML, as browsers do, a page to ask about pictures.',
    answers: { 200: 'Index' },
    otherTypes: { 'text/html': 'Page' },
    errors: [],
  },
  docs: {
    tag: 'About',
    summary: 'This document as a page',
    answers: { 200: 'Page' },
    answerType: 'text/html',
    errors: [],
  },
  pageFile: {
    tag: 'About',
    summary: 'A module or a style that the pages load',
    description: 'The pages name the version; other ones are not found.',
    answers: { 200: 'PageFile' },
    answerType: 'text/javascript',
    otherTypes: { 'text/css': 'PageFile' },
    errors: ['not_found'],
  },
  openapi: {
    tag: 'About',
    summary: 'This document',
    answers: { 200: 'OpenApi' },
    errors: [],
  },
  createKey: {
    tag: 'Administration',
    summary: 'Make a key, which is shown this one time',
    body: { 'application/json': 'NewKey' },
    example: { note: 'the shop', scopes: ['image'], limits: { images_per_day: 1000 } },
    answers: { 201: 'IssuedKey' },
    errors: withBody,
  },
  listKeys: {
    tag: 'Administration',
    summary: 'List keys, the oldest first',
    query: listKeysQuery,
    answers: { 200: 'KeyList' },
    errors: ['invalid_field'],
  },
  showKey: {
    tag: 'Administration',
    summary: 'Show a key',
    answers: { 200: 'Key' },
    errors: ['invalid_field', 'not_found'],
  },
  changeKey: {
    tag: 'Administration',
    summary: 'Change a key; `limits` are replaced as a whole',
    body: { 'application/json': 'KeyChanges' },
    example: { expires_at: '2027-01-01T00:00:00Z' },
    answers: { 200: 'Key' },
    errors: [...withBody, 'not_found'],
  },
  removeKey: {
    tag: 'Administration',
    summary: 'Remove a key',
    answers: { 200: 'RemovedKey' },
    errors: ['invalid_field', 'not_found'],
  },
  revokeKey: {
    tag: 'Administration',
    summary: 'Revoke a key; doing so twice changes nothing',
    answers: { 200: 'Key' },
    errors: ['invalid_field', 'not_found'],
  },
  rotateKey: {
    tag: 'Administration',
    summary: 'Give a key a new secret, which is shown this one time',
    body: { 'application/json': 'KeyRotation' },
    bodyIsOptional: true,
    example: { grace_seconds: 3600 },
    answers: { 200: 'IssuedKey' },
    errors: [...withBody, 'not_found', 'key_not_active'],
  },
  usage: {
    tag: 'Administration',
    summary: 'What keys have used on each day (UTC)',
    query: usageQuery,
    answers: { 200: 'Usage' },
    errors: ['invalid_field', 'limits_unavailable'],
  },
  metrics: {
    tag: 'Administration',
    summary: 'The counts of this edge, as Prometheus reads them; 404 where it runs as a Worker',
    answers: { 200: 'Metrics' },
    answerType: 'text/plain',
    errors: ['not_found'],
  },
}
