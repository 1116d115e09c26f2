import { nullNote, type RouteDocs, type StreamDoc } from '../route-doc.ts'
import { conversation, counting } from '../route-errors.ts'

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

const countExample = {
  model: 'kimi-vl',
  messages: [{ role: 'user', content: 'What is the capital of France?' }],
}

/** Anthropic's routes. */
export const anthropicDocs: RouteDocs<'messages' | 'messagesTokens'> = {
  messages: {
    tag: 'Anthropic',
    summary: 'Answer a conversation',
    description: `As Anthropic's messages. ${nullNote}`,
    body: { 'application/json': 'MessagesRequest' },
    example: { ...countExample, max_tokens: 500 },
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
    example: countExample,
    answers: { 200: 'MessageTokens' },
    errors: counting,
    errorBody: 'MessagesError',
  },
}
