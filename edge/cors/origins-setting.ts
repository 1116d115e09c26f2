import * as z from 'zod'
import { listItems } from '../../shared/settings/list.ts'

/** Means every origin. */
export const anyOrigin = '*'

/** Origins of web pages as browsers send them (`https://app.example.com`), separated by commas, or `*`. */
export const originsSetting = z
  .string()
  .default('')
  .transform(listItems)
  .refine((origins) => origins.every(isOrigin) && isAlone(origins), {
    error: 'expected origins, separated by commas, such as https://app.example.com, or *',
  })

/** An origin is a scheme, a host in lower case, and a port unless it is the scheme's default. */
function isOrigin(text: string): boolean {
  if (text === anyOrigin) return true
  return /^https?:[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text
}

function isAlone(origins: readonly string[]): boolean {
  return !origins.includes(anyOrigin) || origins.length === 1
}
