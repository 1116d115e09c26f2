import * as z from 'zod'
import { listItems } from '../../shared/settings/list.ts'

/** Stands for every origin. */
export const anyOrigin = '*'

/** Origins of web pages as browsers send them (`https://app.example.com`), separated by commas, or `*`. */
export const originsSetting = z
  .string()
  .default('')
  .transform(listItems)
  .refine((origins) => origins.every(isOrigin) && isAlone(origins), {
    error: 'expected origins, separated by commas, such as https://app.example.com, or *',
  })

/** An origin is a scheme, a host in lower case, and a port where it is not the scheme's own. */
function isOrigin(text: string): boolean {
  if (text === anyOrigin) return true
  return /^https?:[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text
}

function isAlone(origins: readonly string[]): boolean {
  return !origins.includes(anyOrigin) || origins.length === 1
}
