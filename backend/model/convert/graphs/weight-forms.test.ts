import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { componentForms, formName } from './weight-forms.ts'
import { formChoiceOf, weightSettingsSchema } from './weight-settings.ts'

describe('weight forms', () => {
  it('are 8 bits everywhere unless set otherwise', () => {
    const choice = formChoiceOf(weightSettingsSchema.parse({}))
    expect(choice).toEqual({ weights: 'q8', exact: [] })
    expect(formName(choice)).toBe('q8')
    expect(componentForms(choice)).toEqual({
      vision: { kind: 'q8-rows' },
      attention: { kind: 'q8-blocks', blockSize: 64, activations: 'int8' },
      dense: { kind: 'q8-blocks', blockSize: 64, activations: 'int8' },
      experts: { kind: 'q8-blocks', blockSize: 64, activations: 'int8' },
      head: { kind: 'q8-blocks', blockSize: 64, activations: 'int8' },
    })
  })

  it('leave single components exact, and have a name for each choice', () => {
    const settings = { EXACT_WEIGHTS: 'head, vision', WEIGHTS_BLOCK: '32' }
    const choice = formChoiceOf(weightSettingsSchema.parse(settings))
    expect(formName(choice)).toBe('q8-b32-f32-vision-head')
    const { vision, dense, attention, head } = componentForms(choice)
    expect([vision, head]).toEqual([{ kind: 'f32' }, { kind: 'f32' }])
    expect(dense).toEqual({ kind: 'q8-blocks', blockSize: 32, activations: 'int8' })
    expect(attention).toEqual({ kind: 'q8-blocks', blockSize: 32, activations: 'int8' })
    expect(formName({ weights: 'f32', exact: ['head'], blockSize: 32 })).toBe('f32')
  })

  it('refuse what there is not', () => {
    const problem = z.prettifyError(
      weightSettingsSchema.safeParse({ EXACT_WEIGHTS: 'head,eyes' }).error!,
    )
    expect(problem).toContain('vision,attention,dense,experts,head, received eyes')
    expect(weightSettingsSchema.safeParse({ WEIGHTS_BLOCK: '48' }).success).toBe(false)
  })
})
