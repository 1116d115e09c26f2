import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { IssuedKeyView } from '../../shared/api/administration/keys.ts'
import {
  type CertificateSet,
  createCertificates,
} from '../../shared/node/certificates/create-certificates.ts'
import { type NanoBackend, startNanoBackend } from '../support/backends/nano-backend.ts'
import {
  generatedRequest,
  type GeneratedRequest,
  pictureUrl,
} from '../support/openapi/generated-request.ts'
import { disagreement, operationNamed } from '../support/openapi/operations.ts'
import { startTestEdge } from '../support/openapi/test-edge.ts'

const rootKey = 'generated-key-3f9d0c7a51b2'
const picture = readFileSync('test/golden/images/g01.png')

/** How many requests; a tenth of a second each. By default always the same ones. */
const { GENERATED_REQUESTS, GENERATED_SEED } = process.env
const runs = Number(GENERATED_REQUESTS ?? 300)
const seed = Number(GENERATED_SEED ?? 18)

let certificates: CertificateSet
let nano: NanoBackend
const web = async (url: string) =>
  url === pictureUrl ? new Response(picture) : new Response('', { status: 404 })
beforeAll(async () => {
  const names = { server: ['localhost', '127.0.0.1'], client: 'edge' }
  certificates = await createCertificates(names, Date.now())
  nano = await startNanoBackend(certificates, web)
})
afterAll(() => nano.stop())

describe('requests generated from the OpenAPI document', () => {
  it('are answered as it says, and never by a fault', { timeout: 3_600_000 }, async () => {
    const edge = await startTestEdge({ url: nano.url, certificates }, { rootKey, fetchPublic: web })
    onTestFinished(() => edge.stop())
    const admin = async (body: object) => {
      const response = await fetch(`${edge.url}/admin/keys`, {
        method: 'POST',
        headers: { 'x-api-key': rootKey, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      return (await response.json()) as IssuedKeyView
    }
    const narrow = await admin({ scopes: ['image_url'] })
    const limited = await admin({ limits: { tokens_per_day: 300, images_per_day: 2 } })
    const { id: spare } = await admin({})
    const keys = { root: rootKey, narrow: narrow.key, limited: limited.key, wrong: 'x', none: '' }

    const send = async ({ name, credentials, target, headers, body }: GeneratedRequest) => {
      const response = await fetch(edge.url + target.replace('{key}', spare), {
        method: operationNamed(name).method,
        headers: { ...headers, ...(keys[credentials] && { 'x-api-key': keys[credentials] }) },
        ...(body !== undefined && { body }),
      })
      const type = response.headers.get('content-type') ?? ''
      return { status: response.status, type, text: await response.text() }
    }
    const statuses = new Set<number>()
    const property = fc.asyncProperty(generatedRequest, async (request) => {
      const answer = await send(request)
      statuses.add(answer.status)
      expect(disagreement(operationNamed(request.name), answer)).toBeUndefined()
      expect(answer).toMatchObject({ status: expect.toSatisfy((status) => status < 500) as number })
    })
    await fc.assert(property, { numRuns: runs, seed, endOnFailure: true })
    for (const status of [200, 400, 401, 403, 404]) expect([...statuses]).toContain(status)
  })
})
