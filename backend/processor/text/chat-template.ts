import type { ContentPart, Message } from '../processor.ts'

/** The control tokens that the template writes, by their names in the tokenizer file. */
export const controlTokens = [
  '<|im_system|>',
  '<|im_user|>',
  '<|im_assistant|>',
  '<|im_middle|>',
  '<|im_end|>',
  '<|media_start|>',
  '<|media_content|>',
  '<|media_pad|>',
  '<|media_end|>',
] as const
export type ControlToken = (typeof controlTokens)[number]

/**
 * A piece of the prompt. Control tokens are never text, and text is never searched for them, so nothing a caller
 * writes can become one.
 */
export type Segment = { readonly control: ControlToken } | { readonly text: string }

const roleToken = {
  system: '<|im_system|>',
  user: '<|im_user|>',
  assistant: '<|im_assistant|>',
} as const satisfies Record<Message['role'], ControlToken>

const defaultSystemMessage: Message = {
  role: 'system',
  content: [{ type: 'text', text: 'You are a helpful assistant' }],
}

/** The tokens of one image; its placeholder is later repeated, once per image token. */
const imageFrame: readonly Segment[] = [
  { control: '<|media_start|>' },
  { text: 'image' },
  { control: '<|media_content|>' },
  { control: '<|media_pad|>' },
  { control: '<|media_end|>' },
]

/** The part the model continues: the head of its own message. */
export const answerOpening: readonly Segment[] = messageHead('assistant')

/** The conversation as the checkpoint's chat_template.jinja renders it, without the opening of the answer. */
export function conversationSegments(messages: readonly Message[]): Segment[] {
  const first = messages[0]
  const needsSystem = first !== undefined && first.role !== 'system'
  return (needsSystem ? [defaultSystemMessage, ...messages] : messages).flatMap((message) => [
    ...messageHead(message.role),
    ...contentSegments(message.content),
    { control: '<|im_end|>' } as const,
  ])
}

function messageHead(role: Message['role']): Segment[] {
  return [{ control: roleToken[role] }, { text: role }, { control: '<|im_middle|>' }]
}

/** Joins adjacent texts: if encoded separately, tokens could not span the seam. */
function contentSegments(content: readonly ContentPart[]): Segment[] {
  const segments: Segment[] = []
  let text = ''
  for (const part of content) {
    if (part.type === 'text') {
      text += part.text
    } else {
      segments.push({ text }, ...imageFrame)
      text = ''
    }
  }
  segments.push({ text })
  return segments.filter((segment) => !('text' in segment) || segment.text !== '')
}
