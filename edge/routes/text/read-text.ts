import { withoutDefaults } from '../../../shared/api/request/preset.ts'
import { generateFields, parseFields } from '../../../shared/api/request/request.ts'
import { routes } from '../../../shared/api/routes.ts'
import { textAffinity } from '../../../shared/balance/affinity.ts'
import { mediaTypeOf } from '../../body/media-type.ts'
import { readJson } from '../../body/read-fields.ts'
import type { ReadCall } from '../../calls/run-call.ts'
import { knownNeed } from '../../limits/demand.ts'

/** `POST /generate/text`: validated here, forwarded in canonical form. */
export const readText: ReadCall = async (c) => {
  mediaTypeOf(c.req.raw.headers, ['application/json'])
  const sent = await readJson(c)
  const fields = parseFields(generateFields, sent)
  return {
    need: knownNeed(fields, 0),
    message: () => ({
      path: routes.text.path,
      contentType: 'application/json',
      body: JSON.stringify(withoutDefaults(fields, sent)),
      affinity: textAffinity(fields),
    }),
  }
}
