import { chatFields } from '../../shared/api/chat/read-request.ts'
import {
  changeKeyFields,
  createKeyFields,
  issuedKeyView,
  keyListView,
  keyView,
  rotateKeyFields,
} from '../../shared/api/administration/keys.ts'
import { maxImages } from '../../shared/api/limits.ts'
import { countFields, messagesFields } from '../../shared/api/messages/read-request.ts'
import { generateFields, imageUrlFields } from '../../shared/api/request/request.ts'
import { inputItem, responsesFields } from '../../shared/api/responses/read-request.ts'
import { usageView } from '../../shared/api/administration/usage.ts'
import * as answers from './answers.ts'
import * as chat from './chat-answers.ts'
import * as other from './other-answers.ts'
import * as events from './stream-events.ts'
import { fieldTexts } from './field-texts.ts'
import * as mcp from './mcp-messages.ts'
import { type JsonSchema, schemaOf } from './schema-of.ts'

/** The schemas of the document by name; those of requests are the ones that validate them. */
export const schemas = {
  Error: answers.errorView,
  TextRequest: generateFields,
  ImageUrlRequest: imageUrlFields,
  Answer: answers.generateAnswer,
  StreamQueued: answers.streamQueued,
  StreamReasoning: answers.streamReasoning,
  StreamDelta: answers.streamDelta,
  StreamEnd: answers.streamEnd,
  ChatRequest: chatFields,
  ChatCompletion: chat.chatCompletion,
  ChatChunk: chat.chatChunk,
  ResponsesRequest: responsesFields,
  Response: other.responseView,
  ResponseInputItem: inputItem,
  ResponseStateEvent: events.responseStateEvent,
  ResponseItemEvent: events.responseItemEvent,
  ResponsePartEvent: events.responsePartEvent,
  ResponseTextDelta: events.responseTextDelta,
  ResponseTextDone: events.responseTextDone,
  ResponseReasoningDelta: events.responseReasoningDelta,
  ResponseReasoningDone: events.responseReasoningDone,
  ResponseErrorEvent: events.responseErrorEvent,
  InputTokens: other.inputTokens,
  MessagesRequest: messagesFields,
  Message: other.messageView,
  MessageStart: events.messageStart,
  MessageDelta: events.messageDelta,
  MessageStop: events.messageStop,
  MessagePing: events.messagePing,
  ContentBlockStart: events.contentBlockStart,
  ContentBlockDelta: events.contentBlockDelta,
  ContentBlockStop: events.contentBlockStop,
  MessagesError: other.messagesError,
  MessageTokensRequest: countFields,
  MessageTokens: other.messageTokens,
  McpMessage: mcp.mcpMessage,
  McpAnswer: mcp.mcpAnswer,
  McpError: mcp.mcpError,
  Model: chat.modelView,
  ModelList: chat.modelListView,
  Health: answers.healthView,
  Index: answers.indexView,
  Alive: answers.aliveView,
  Readiness: answers.readinessView,
  NewKey: createKeyFields,
  KeyChanges: changeKeyFields,
  KeyRotation: rotateKeyFields,
  Key: keyView,
  IssuedKey: issuedKeyView,
  KeyList: keyListView,
  RemovedKey: answers.removedKeyView,
  Usage: usageView,
}

/** Content that has no schema: texts, and the document itself. */
const plainSchemas = {
  OpenApi: { type: 'object' },
  Metrics: { type: 'string' },
  Page: { type: 'string' },
  PageFile: { type: 'string' },
}

export type SchemaName = keyof typeof schemas | keyof typeof plainSchemas | 'ImageForm'

export function componentSchemas(): Record<SchemaName, JsonSchema> {
  const named = Object.entries(schemas).map(([name, schema]) => [name, schemaOf(schema)] as const)
  const plain = Object.fromEntries(named) as Record<keyof typeof schemas, JsonSchema>
  for (const name of ['TextRequest', 'ImageUrlRequest'] as const) explain(plain[name])
  const ImageForm = withImages(plain.TextRequest)
  return { ...plain, ...plainSchemas, ImageForm }
}

function explain({ properties }: JsonSchema): void {
  for (const [name, field] of Object.entries(properties as Record<string, JsonSchema>)) {
    const description = fieldTexts[name]
    if (description !== undefined) field.description = description
  }
}

/** The fields of a question, and the files, which no schema covers. */
function withImages(fields: JsonSchema): JsonSchema {
  const { properties, required } = fields as { properties: JsonSchema; required: string[] }
  const file = { type: 'string', contentMediaType: 'application/octet-stream' }
  const images = { type: 'array', items: file, minItems: 1, maxItems: maxImages }
  return { ...fields, properties: { ...properties, images }, required: [...required, 'images'] }
}

export const refTo = (name: SchemaName): JsonSchema => ({ $ref: `#/components/schemas/${name}` })
