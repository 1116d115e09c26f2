import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { IssuedKeyView } from '../../shared/api/administration/keys.ts'
import {
  type CertificateSet,
  createCertificates,
} from '../../shared/node/certificates/create-certificates.ts'
import { type NanoBackend, startNanoBackend } from '../support/backends/nano-backend.ts'
import { circumstanceOf, type Sent, sendRaw, type World } from '../support/openapi/circumstances.ts'
import { pictureUrl } from '../support/openapi/generated-request.ts'
import { disagreement, operationNamed, operations } from '../support/openapi/operations.ts'
import { startTestEdge } from '../support/openapi/test-edge.ts'

const rootKey = 'documented-key-3f9d0c7a51b2'
const picture = readFileSync('test/golden/images/g01.png')

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

async function send(url: string, { method, path, headers, body }: Sent) {
  const bytes = body === undefined ? {} : { body }
  const response = await fetch(url + path, { method, headers, ...bytes })
  const type = response.headers.get('content-type') ?? ''
  return { status: response.status, type, text: await response.text() }
}

describe('the statuses of the OpenAPI document', () => {
  // At once, because a request that never arrives takes its time.
  it.concurrent.for(operations.map(({ name }) => name))(
    'all occur in %s, with the bodies that it says',
    async (name, { onTestFinished }) => {
      const operation = operationNamed(name)
      const edge = await startTestEdge(
        { url: nano.url, certificates },
        { rootKey, fetchPublic: web },
      )
      onTestFinished(() => edge.stop())
      const admin = async (path: string, body: object) => {
        const headers = { 'x-api-key': rootKey, 'content-type': 'application/json' }
        const sent = { method: 'POST', path: `/admin/keys${path}`, headers }
        const { text } = await send(edge.url, { ...sent, body: JSON.stringify(body) })
        return JSON.parse(text) as IssuedKeyView
      }
      const isForAdmins = operation.path.startsWith('/admin') || name === 'metrics'
      const foreign = await admin('', { scopes: [isForAdmins ? 'text' : 'admin'] })
      const { id: revokedId } = await admin('', {})
      await admin(`/${revokedId}/revoke`, {})
      const answerWith = async (status: number) => {
        const { id: activeId } = await admin('', {})
        const world: World = { rootKey, foreignKey: foreign.key, activeId, revokedId }
        const {
          send: sent,
          raw,
          platform = {},
          after = [],
        } = circumstanceOf(operation, status, world)
        if (raw !== undefined) return sendRaw(edge.url, raw)
        edge.change(platform)
        for (const earlier of after) await send(edge.url, earlier)
        const answer = await send(edge.url, sent)
        edge.change({})
        return answer
      }
      const occurs = async (status: number) => {
        const answer = await answerWith(status)
        expect(answer).toMatchObject({ status })
        expect(disagreement(operation, answer)).toBeUndefined()
      }
      const statuses = Object.keys(operation.responses).map(Number)
      const tooLate = occurs(408)
      tooLate.catch(() => undefined)
      for (const status of statuses.filter((each) => each !== 408)) await occurs(status)
      await tooLate
    },
  )
})
