import { describe, expect, it } from 'vitest'
import { withoutDefaults, withPreset } from './preset.ts'
import { generateFields, parseFields } from './request.ts'
import { samplingOf } from './sampling-fields.ts'

const recommended = { temperature: 0.2, top_k: 40 }

/** The rules that a request leads to, sent to the backend or through an edge, which checks and passes it on. */
function rulesOf(sent: object): object[] {
  const check = (value: unknown) => parseFields(generateFields, value)
  const direct = check(withPreset(sent, recommended))
  const passedOn = JSON.parse(JSON.stringify(withoutDefaults(check(sent), sent))) as unknown
  const throughEdge = check(withPreset(passedOn, recommended))
  return [direct, throughEdge].map((fields) => samplingOf(fields))
}

describe('preset', () => {
  it.each([
    ['this server’s defaults unless it is asked for', {}, { temperature: 0.7, topP: 0.9, topK: 0 }],
    ['them too by name', { preset: 'server' }, { temperature: 0.7, topP: 0.9, topK: 0 }],
    ['the model’s', { preset: 'model' }, { temperature: 0.2, topP: 0.9, topK: 40 }],
    [
      'the request’s own first',
      { preset: 'model', temperature: 1, top_p: 0.5 },
      { temperature: 1, topP: 0.5, topK: 40 },
    ],
    [
      'the model’s where the request has null',
      { preset: 'model', temperature: null },
      { temperature: 0.2, topK: 40 },
    ],
  ])('gives %s', (_what, fields, expected) => {
    for (const rules of rulesOf({ prompt: 'Hi', ...fields })) expect(rules).toMatchObject(expected)
  })

  it('is refused where nothing is recommended, and by another name', () => {
    expect(() => withPreset({ preset: 'model' }, {})).toThrow(
      expect.objectContaining({ code: 'invalid_field', param: 'preset' }),
    )
    expect(() => rulesOf({ prompt: 'Hi', preset: 'best' })).toThrow(/^preset: /)
  })

  it.each([undefined, null, 'text', 5, ['preset']])('leaves %j alone', (sent) => {
    expect(withPreset(sent, {})).toBe(sent)
  })
})
