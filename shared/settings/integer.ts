import * as z from 'zod'

/** A whole number given as text, within bounds. */
export function integerSetting(minimum: number, maximum: number) {
  return z
    .string()
    .regex(/^\d+$/, 'expected a whole number')
    .transform(Number)
    .pipe(z.int().min(minimum).max(maximum))
}

export const portSetting = integerSetting(0, 65_535)
