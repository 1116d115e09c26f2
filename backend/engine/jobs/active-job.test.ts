import { expect, it } from 'vitest'
import { fakeModelInfo as info } from '../../../test/support/inference/fake-model.ts'
import { createJob, imagePrompt } from '../../../test/support/inference/jobs.ts'
import type { SlotId } from '../../model/model.ts'
import { ActiveJob } from './active-job.ts'

it('keeps the features of images for a choice that gave way while it read its prompt again', () => {
  const asked = createJob({ choices: 2, ...imagePrompt([4, 4]) })
  const job = new ActiveJob({
    asked,
    tokenLimit: 8,
    answerTokens: 16,
    info,
    now: () => 0,
    openRule: undefined,
  })
  const prompt = asked.promptIds.length
  const see = () => {
    const { key } = first.nextImage
    job.addFeatures(key, new Float32Array(4 * info.hiddenSize))
  }
  const { first } = job
  first.start(1 as SlotId, 0)
  see()
  first.advance(prompt)
  first.takeAll(new Float32Array(info.vocabSize))
  const second = job.waitingChoice!
  for (const choice of [first, second]) {
    choice.pause()
    choice.loseSlot()
  }
  first.start(2 as SlotId, 0)
  second.start(3 as SlotId, 0)
  see()
  first.pause()
  second.advance(second.promptLeft)
  first.resume()
  expect(first.rowOf(first.promptLeft).features).toHaveLength(1)
})
