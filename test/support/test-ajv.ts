import { Ajv2020 } from 'ajv/dist/2020.js'
import { fullFormats } from 'ajv-formats/dist/formats.js'

/** @returns whether a value fits a schema, as ajv says */
export function validatorOf(schema: unknown): (value: unknown) => boolean {
  const ajv = new Ajv2020({ strict: false, logger: false, formats: fullFormats })
  const validate = ajv.compile(schema as object | boolean)
  return (value) => validate(value)
}
