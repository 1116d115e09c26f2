import {
  answerOpening,
  controlTokens,
  conversationSegments,
} from '../../processor/text/chat-template.ts'
import { joinPromptIds } from '../../processor/text/prompt-ids.ts'
import type { Tokenizer } from '../../processor/text/tokenizer.ts'

/** The tokens of a checkpoint, as far as a chat needs them. */
export interface ChatTokens {
  readonly tokenizer: Tokenizer
  /** Name -> id. */
  readonly specialTokens: ReadonlyMap<string, number>
}

/**
 * Ids of a chat in which a user has asked a question, up to where the answer begins.
 * @param imageTokens placeholders of each image, which come before the question
 */
export function chatIds(
  { tokenizer, specialTokens }: ChatTokens,
  question: string,
  imageTokens: readonly number[],
): number[] {
  const content = [
    ...imageTokens.map(() => ({ type: 'image' as const })),
    { type: 'text' as const, text: question },
  ]
  const segments = [...conversationSegments([{ role: 'user', content }]), ...answerOpening]
  const pieces = segments.flatMap((segment) =>
    'text' in segment ? [tokenizer.encodeOrdinary(segment.text)] : [],
  )
  const ids = Object.fromEntries(controlTokens.map((name) => [name, specialTokens.get(name)!]))
  return [
    ...joinPromptIds(segments, ids as Parameters<typeof joinPromptIds>[1], pieces, imageTokens),
  ]
}
