import type { PatchImage } from '../../model/model.ts'
import type { ModelSource } from '../../model/convert/model-source.ts'
import {
  answerOpening,
  controlTokens,
  conversationSegments,
} from '../../processor/chat-template.ts'
import { joinPromptIds } from '../../processor/prompt-ids.ts'
import { createTokenizer, type Tokenizer } from '../../processor/tokenizer.ts'
import { readRanks, readTokenizerFile } from '../../model/config/tokenizer-file.ts'
import { drawPicture, type Picture } from './draw-picture.ts'

/** A prompt, with the pictures that its placeholders stand for, in order. */
export interface CheckPrompt {
  readonly name: string
  readonly promptIds: readonly number[]
  readonly images: readonly PatchImage[]
}

export interface CheckSet {
  readonly prompts: readonly CheckPrompt[]
  /** Ids that end an answer. */
  readonly stopIds: readonly number[]
}

const texts = [
  'What is the capital of France?',
  'Count from 1 to 20.',
  'Write a short story about a fox.',
  'Explain in two sentences why the sky is blue.',
  'Translate to French: The cat sleeps on the warm stones.',
  'Write a function in Python that reverses a list.',
]

const pictured: readonly (readonly [Picture, string])[] = [
  ['disc', 'Describe this image.'],
  ['stripes', 'What colors are in the image?'],
  ['squares', 'How many shapes are there?'],
  ['noise', 'Describe this image.'],
]

/** What forms are compared on: texts and pictures of this program's own, in the chat of the checkpoint. */
export async function readCheckSet(folder: string, source: ModelSource): Promise<CheckSet> {
  const tokenizer = createTokenizer(await readRanks(folder))
  const { specialTokens } = await readTokenizerFile(folder)
  const idsOf = (text: string, images: readonly PatchImage[]) =>
    encode(
      tokenizer,
      specialTokens,
      text,
      images.map((image) => tokensOf(image, source)),
    )
  const prompts = [
    ...texts.map((text) => ({ name: text, promptIds: idsOf(text, []), images: [] })),
    ...pictured.map(([picture, text]) => {
      const images = [drawPicture(picture, source.preprocessor.patchSize)]
      return { name: `${picture}: ${text}`, promptIds: idsOf(text, images), images }
    }),
  ]
  const stopIds = ['<|im_end|>', '[EOS]'].map((name) => specialTokens.get(name)!)
  return { prompts, stopIds }
}

function tokensOf({ gridHw }: PatchImage, { preprocessor }: ModelSource): number {
  return (gridHw[0] * gridHw[1]) / preprocessor.mergeSize ** 2
}

function encode(
  tokenizer: Tokenizer,
  specialTokens: ReadonlyMap<string, number>,
  text: string,
  imageTokens: readonly number[],
): number[] {
  const content = [
    ...imageTokens.map(() => ({ type: 'image' as const })),
    { type: 'text' as const, text },
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
