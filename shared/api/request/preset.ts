import { ServiceError } from '../errors.ts'
import { samplingRules } from './sampling-fields.ts'

/** Rules that a model's authors recommend, by the names of the request's fields. Absent ones have no recommendation. */
export type RecommendedRules = Readonly<
  Partial<
    Record<'temperature' | 'top_p' | 'top_k' | 'min_p' | 'repetition_penalty', number | undefined>
  >
>

/**
 * The request as it was sent, with the recommended rules where it asks for the model's preset and states none itself. Comes
 * before the request is checked, because that fills in this server's own defaults.
 * @throws {ServiceError} `invalid_field` when nothing is recommended
 */
export function withPreset(sent: unknown, recommended: RecommendedRules): unknown {
  if (!asksForPreset(sent)) return sent
  if (Object.keys(recommended).length === 0) {
    const message =
      'preset: expected "server", because this model comes without recommended settings'
    throw new ServiceError('invalid_field', message, { param: 'preset' })
  }
  const stated = Object.entries(sent).filter(([, value]) => value !== null)
  return { ...recommended, ...Object.fromEntries(stated) }
}

/**
 * Checked fields without the defaults in whose place a preset is to come.
 * @param sent the request they were read from
 */
export function withoutDefaults<Fields extends object>(fields: Fields, sent: unknown): Fields {
  if (!asksForPreset(sent)) return fields
  const isOpen = (name: string) =>
    Object.hasOwn(samplingRules, name) && (sent as Record<string, unknown>)[name] == null
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !isOpen(name))) as Fields
}

function asksForPreset(sent: unknown): sent is object {
  return typeof sent === 'object' && sent !== null && 'preset' in sent && sent.preset === 'model'
}
