import type { Message } from '../processor.ts'
import { ThoughtSplitter } from './thought-splitter.ts'

/** A conversation without what the model thought before its earlier answers: it was not trained to read that again. */
export function withoutThoughts(messages: readonly Message[]): readonly Message[] {
  return messages.map((message) => {
    if (message.role !== 'assistant') return message
    const texts = message.content.map((part) => (part.type === 'text' ? part.text : ''))
    return { ...message, content: [{ type: 'text', text: answerIn(texts.join('')) }] }
  })
}

/** What follows the thought in a model's whole text. */
export function answerIn(written: string): string {
  return new ThoughtSplitter(true).push(written).answer
}
