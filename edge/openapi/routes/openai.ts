import { nullNote, type RouteDocs, type StreamDoc } from '../route-doc.ts'
import { conversation, counting, fromBackend } from '../route-errors.ts'

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
    'response.reasoning_text.delta': 'ResponseReasoningDelta',
    'response.reasoning_text.done': 'ResponseReasoningDone',
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

const model = 'kimi-vl'
const input = 'What is the capital of France?'
const chatExample = { model, messages: [{ role: 'user', content: input }] }
const responsesExample = { model, input }

/** OpenAI's routes. */
export const openaiDocs: RouteDocs<
  'chat' | 'chatTokens' | 'responses' | 'responsesTokens' | 'response' | 'models' | 'model'
> = {
  chat: {
    tag: 'OpenAI',
    summary: 'Answer a conversation',
    description: `As OpenAI's chat completions. ${nullNote}`,
    body: { 'application/json': 'ChatRequest' },
    example: chatExample,
    answers: { 200: 'ChatCompletion' },
    stream: chatStream,
    asks: true,
    errors: conversation,
  },
  chatTokens: {
    tag: 'OpenAI',
    summary: 'Count the tokens of a conversation, without an answer',
    body: { 'application/json': 'ChatRequest' },
    example: chatExample,
    answers: { 200: 'InputTokens' },
    errors: counting,
  },
  responses: {
    tag: 'OpenAI',
    summary: 'Answer a conversation; nothing is stored',
    description: `As OpenAI's responses. ${nullNote}`,
    body: { 'application/json': 'ResponsesRequest' },
    example: responsesExample,
    answers: { 200: 'Response' },
    stream: responsesStream,
    asks: true,
    errors: conversation,
  },
  responsesTokens: {
    tag: 'OpenAI',
    summary: 'Count the tokens of a conversation, without an answer',
    body: { 'application/json': 'ResponsesRequest' },
    example: responsesExample,
    answers: { 200: 'InputTokens' },
    errors: counting,
  },
  response: {
    tag: 'OpenAI',
    summary: 'Nothing: responses are not stored',
    answers: {},
    errors: ['not_found'],
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
}
