import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { openApiDocument } from './document.ts'
import { curlExample } from '../page/browser/docs/curl-example.ts'
import { exampleOf } from '../page/browser/docs/example.ts'
import { type OpenApi, routesByTag } from '../page/browser/docs/openapi.ts'
import { typeText } from '../page/browser/docs/type-text.ts'

const api = JSON.parse(JSON.stringify(openApiDocument())) as OpenApi
const { schemas } = api.components
const ajv = new Ajv2020({ strict: false, validateFormats: false })
ajv.addSchema({ $id: 'api', components: api.components })

describe('exampleOf()', () => {
  it.each(Object.keys(schemas))('gives a %s as the document describes it', (name) => {
    const $ref = `api#/components/schemas/${name}`
    for (const wantsAll of [false, true]) {
      const example = exampleOf(schemas[name]!, schemas, wantsAll)
      expect(ajv.validate({ $ref }, example), ajv.errorsText()).toBe(true)
    }
  })
})

describe('routesByTag()', () => {
  it('has every operation once, the questions first', () => {
    const groups = routesByTag(api)
    expect([...groups.keys()][0]).toBe('Ask')
    const routes = [...groups.values()].flat().map(({ method, path }) => `${method} ${path}`)
    const all = Object.entries(api.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    )
    expect(routes.toSorted()).toEqual(all.toSorted())
  })
})

describe('curlExample()', () => {
  const routes = [...routesByTag(api).values()].flat()
  const commandFor = (id: string) =>
    curlExample(
      routes.find(({ operationId }) => operationId === id)!,
      schemas,
      'http://host',
    )

  it('sends a form', () => {
    expect(commandFor('image')).toBe(`curl 'http://host/generate/image' \\
  -H "X-API-Key: $DESCRIBE_API_KEY" \\
  -F 'prompt=Describe this image.' \\
  -F 'images=@picture.png'`)
  })

  it('sends JSON, names the method where curl would take another, and no key where none is needed', () => {
    expect(commandFor('text')).toContain(`-d '{\n  "prompt": "What is the capital of France?"`)
    expect(commandFor('removeKey')).toMatch(/^curl -X DELETE 'http:\/\/host\/admin\/keys\/\{id\}'/)
    expect(commandFor('revokeKey')).toMatch(/-X POST$/)
    expect(commandFor('health')).toBe(`curl 'http://host/health'`)
  })
})

describe('typeText()', () => {
  const fields = schemas['TextRequest']!.properties!
  it.each([
    ['prompt', 'text, 1 to 600,000 characters'],
    ['max_tokens', 'integer, from 1'],
    ['temperature', 'number, 0 to 2'],
    ['top_p', 'number, above 0 to 1'],
    ['stop', 'text or list of text, up to 16'],
    ['logprobs', 'boolean'],
    ['priority', '"interactive" or "batch"'],
    ['response_format', 'object'],
  ])('of %s is %s', (name, text) => {
    expect(typeText(fields[name]!)).toBe(text)
  })

  it('names what is referred to, and files', () => {
    expect(typeText({ $ref: '#/components/schemas/Answer' })).toBe('Answer')
    expect(typeText(schemas['ImageForm']!.properties!['images']!)).toBe('list of file, 1 to 16')
  })
})
