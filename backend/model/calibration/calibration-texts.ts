import type { PreprocessorConfig } from '../config/preprocessor-config.ts'
import type { TokenizerFile } from '../config/tokenizer-file.ts'
import type { PatchImage } from '../model.ts'
import { calibrationSet, type CalibrationPicture } from './calibration-set.ts'
import { roughEncoder } from './encode-roughly.ts'
import { paintPatches } from './paint-patches.ts'

/** A text of the calibration set as a model takes it. */
export interface EncodedText {
  readonly promptIds: readonly number[]
  readonly answerIds: readonly number[]
  readonly images: readonly PatchImage[]
}

/** Tokens of a checkpoint, as far as they are needed here. */
export type CalibrationTokens = Pick<TokenizerFile, 'specialTokens' | 'tokenBytes'>

/** The calibration set in the chat and the tokens of a checkpoint. Control tokens that it lacks are left out. */
export function calibrationTexts(
  tokens: CalibrationTokens,
  { patchSize, mergeSize }: Pick<PreprocessorConfig, 'patchSize' | 'mergeSize'>,
): EncodedText[] {
  const encode = roughEncoder(tokens.tokenBytes)
  const control = (name: string) => tokens.specialTokens.get(name) ?? []
  const turn = (role: string, content: readonly number[]) =>
    [control(`<|im_${role}|>`), encode(role), control('<|im_middle|>'), content].flat()
  const end = control('<|im_end|>')
  const placeholders = ({ gridHw: [rows, columns] }: CalibrationPicture) =>
    Array.from({ length: (rows * columns) / mergeSize ** 2 }, () => control('<|media_pad|>'))
  const frame = (picture: CalibrationPicture) =>
    [
      control('<|media_start|>'),
      encode('image'),
      control('<|media_content|>'),
      placeholders(picture),
      control('<|media_end|>'),
    ].flat(2)
  const system = [turn('system', encode('You are a helpful assistant')), end].flat()
  return calibrationSet.map(({ question, answer, picture }) => {
    const content = [...(picture === undefined ? [] : frame(picture)), ...encode(question)]
    return {
      promptIds: [system, turn('user', content), end, turn('assistant', [])].flat(),
      answerIds: [encode(answer), end].flat(),
      images:
        picture === undefined ? [] : [paintPatches(picture.gridHw, patchSize, picture.painting)],
    }
  })
}
