import { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import type { FormChoice } from '../model/convert/graphs/weight-forms.ts'
import { addFormOptions, chosenForm, settingsOf } from './form-options.ts'

function chosen(settings: FormChoice, ...given: string[]): FormChoice {
  const command = addFormOptions(new Command().exitOverride().configureOutput({ writeErr() {} }))
  return chosenForm(settings, command.parse(given, { from: 'user' }).opts())
}

describe('form options', () => {
  const settings = { weights: 'q8', exact: ['vision'], blockSize: 64 } as const

  it('change what the settings say, for one call', () => {
    expect(chosen(settings)).toEqual(settings)
    const form = chosen(settings, '--vision', 'q8', '--head', 'f32', '--block', '32')
    expect(form).toEqual({ weights: 'q8', exact: ['head'], blockSize: 32 })
    expect(settingsOf(form)).toBe('WEIGHTS=q8 EXACT_WEIGHTS=head WEIGHTS_BLOCK=32')
  })

  it('refuse other forms', () => {
    expect(() => chosen(settings, '--vision', 'f16')).toThrow('Allowed choices are q8, f32')
    expect(() => chosen(settings, '--block', '48')).toThrow('Allowed choices are 32, 64, 128')
  })
})
