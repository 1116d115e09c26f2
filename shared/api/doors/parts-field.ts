import * as z from 'zod'
import { maxParts } from '../limits.ts'
import { atMost } from '../request/at-most.ts'

/**
 * The content of a message: a list of parts, or a text alone, which stands for one part.
 * @param textType type of a text part
 * @param named what the API calls its parts
 */
export function partsField<Part extends z.ZodType>(
  part: Part,
  textType: string,
  named: 'parts' | 'blocks' = 'parts',
) {
  return z
    .preprocess(
      (value) => (typeof value === 'string' ? [{ type: textType, text: value }] : value),
      atMost(maxParts, `at most ${maxParts} ${named} are allowed in one message`).pipe(
        z.array(part),
      ),
    )
    .meta({ alsoText: true })
}
