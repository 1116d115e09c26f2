import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  createCertificates,
  type CertificateSet,
} from '../../shared/node/certificates/create-certificates.ts'
import { RecordingBackend } from '../../test/support/backends/recording-backend.ts'
import { NotConnectedError } from '../backends/target.ts'
import { BackendClient } from './backend-client.ts'

const identityOf = ({ ca, client, clientKey }: CertificateSet) => ({
  ca,
  cert: client,
  key: clientKey,
})
const init = () => ({
  method: 'GET' as const,
  headers: {},
  signal: new AbortController().signal,
})

let certificates: CertificateSet
let stub: RecordingBackend
beforeEach(async () => {
  certificates = await createCertificates({ server: ['localhost'], client: 'edge' }, Date.now())
  stub = await RecordingBackend.start(certificates)
})
afterEach(() => stub.close())

describe('BackendClient', () => {
  it('uses a new certificate from the next request on', async () => {
    const stranger = await createCertificates({ server: ['localhost'], client: 'edge' }, Date.now())
    const client = new BackendClient(identityOf(stranger), 100)
    const target = client.target(stub.url)
    await expect(target.send('/health', init())).rejects.toThrow(NotConnectedError)
    client.renew(identityOf(certificates))
    expect((await target.send('/health', init())).status).toBe(200)
    expect(stub.seen).toHaveLength(1)
  })

  it('distinguishes a missing connection from one that breaks', async () => {
    const client = new BackendClient(identityOf(certificates), 100)
    await expect(client.target('https://localhost:1').send('/', init())).rejects.toThrow(
      NotConnectedError,
    )
    const silent = createServer()
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as AddressInfo
    await expect(client.target(`https://localhost:${port}`).send('/', init())).rejects.toThrow(
      expect.objectContaining({ name: 'NotConnectedError', isSlow: true }),
    )
    silent.close()
    stub.answer = (_seen, response) => void response.destroy()
    const broken = client.target(stub.url).send('/', init())
    await expect(broken).rejects.not.toThrow(NotConnectedError)
  })
})
