import { createHash } from 'node:crypto'
import type { PatchImage } from '../../model/model.ts'
import type { PicturedText } from '../../model/streamed/stream-logits.ts'
import type { ModelSource } from '../../model/convert/source/model-source.ts'
import { chatIds, type ChatTokens } from './chat-ids.ts'
import { drawPicture, type Picture } from './draw-picture.ts'

/** Questions and answers; forms of a model are compared on every token of the answers. */
const texts: readonly (readonly [question: string, answer: string])[] = [
  ['What is the capital of France?', 'The capital of France is Paris.'],
  ['Count from 1 to 20.', '1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20'],
  [
    'Write a short story about a fox.',
    'Once upon a time, a young fox lived at the edge of a quiet forest. One morning she found a silver key in the snow.',
  ],
  [
    'Explain in two sentences why the sky is blue.',
    'Sunlight is scattered by the molecules of the air, blue light more than red light. So blue light reaches our eyes from all directions.',
  ],
  [
    'Translate to French: The cat sleeps on the warm stones.',
    'Le chat dort sur les pierres chaudes.',
  ],
  [
    'Write a function in Python that reverses a list.',
    '```python\ndef reverse(items):\n    return items[::-1]\n```',
  ],
]

const pictured: readonly (readonly [Picture, question: string, answer: string])[] = [
  ['disc', 'Describe this image.', 'A red circle in the center on a colorful gradient.'],
  ['stripes', 'What colors are in the image?', 'The image has blue and yellow stripes.'],
  ['squares', 'How many shapes are there?', 'There are nine green squares on a white background.'],
  ['noise', 'Describe this image.', 'The image shows random gray noise.'],
]

/**
 * The texts and pictures on which forms are compared, in the chat template of the checkpoint. The answers are
 * prescribed, so that nothing has to be generated: all tokens pass each layer at once.
 */
export function checkSet(tokens: ChatTokens, source: ModelSource): PicturedText[] {
  const end = tokens.specialTokens.get('<|im_end|>')!
  const textOf = (question: string, answer: string, images: readonly PatchImage[]) => ({
    promptIds: chatIds(
      tokens,
      question,
      images.map((image) => tokensOf(image, source)),
    ),
    answerIds: [...tokens.tokenizer.encodeOrdinary(answer), end],
    images,
  })
  return [
    ...texts.map(([question, answer]) => textOf(question, answer, [])),
    ...pictured.map(([picture, question, answer]) =>
      textOf(question, answer, [drawPicture(picture, source.preprocessor.patchSize)]),
    ),
  ]
}

/**
 * What the set consists of, with a SHA-256 of all texts and pixels: results are comparable where it is the same.
 * @param patchSize of the model, on which the pictures' sizes depend
 */
export function checkSetLine(patchSize: number): string {
  const hash = createHash('sha256').update(JSON.stringify([texts, pictured]))
  for (const [picture] of pictured) hash.update(drawPicture(picture, patchSize).patches)
  const content = `${texts.length} texts and ${pictured.length} pictures with answers`
  return `compared on ${content}, sha256 ${hash.digest('hex')}`
}

function tokensOf({ gridHw }: PatchImage, { preprocessor }: ModelSource): number {
  return (gridHw[0] * gridHw[1]) / preprocessor.mergeSize ** 2
}
