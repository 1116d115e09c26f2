import { X509Certificate } from 'node:crypto'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ensureCertificates } from './certificates.ts'

const now = Date.parse('2026-03-01T12:00:00Z')
const day = 86_400_000
const names = { server: ['localhost', '127.0.0.1', '::1', 'backend'], client: 'edge' }

let folder: string
beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'certificates-')), 'state', 'certs')
})
afterEach(async () => {
  await rm(join(folder, '..', '..'), { recursive: true, force: true })
})

describe('ensureCertificates()', () => {
  it('makes a chain that fits its names, keys and usages', async () => {
    const set = await ensureCertificates(folder, names, now)
    const ca = new X509Certificate(set.ca)
    const server = new X509Certificate(set.server)
    const client = new X509Certificate(set.client)
    expect(ca.ca).toBe(true)
    expect(server.ca).toBe(false)
    expect(server.verify(ca.publicKey)).toBe(true)
    expect(client.verify(ca.publicKey)).toBe(true)
    expect(server.subjectAltName).toBe(
      'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, DNS:backend',
    )
    expect(client.subjectAltName).toBe('DNS:edge')
    expect(client.subject).toBe('CN=edge')
    expect(server.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
    expect(client.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
  })

  it('keeps keys to their owner', async () => {
    await ensureCertificates(folder, names, now)
    for (const name of ['server-key.pem', 'client-key.pem']) {
      expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
    }
  })

  it('keeps what is good', async () => {
    const first = await ensureCertificates(folder, names, now)
    expect(await ensureCertificates(folder, names, now + 300 * day)).toEqual(first)
  })

  it.each([
    ['a missing file', async () => rm(join(folder, 'client-key.pem'))],
    ['a file that is no certificate', async () => writeFile(join(folder, 'ca.pem'), 'nonsense')],
    [
      'a key of another certificate',
      async () =>
        writeFile(join(folder, 'server-key.pem'), await readFile(join(folder, 'client-key.pem'))),
    ],
  ])('replaces the whole set for %s', async (_what, spoil) => {
    const first = await ensureCertificates(folder, names, now)
    await spoil()
    const second = await ensureCertificates(folder, names, now)
    expect(second.ca).not.toBe(first.ca)
    expect(await ensureCertificates(folder, names, now)).toEqual(second)
  })

  it('replaces the set when it expires within 30 days', async () => {
    const first = await ensureCertificates(folder, names, now)
    const second = await ensureCertificates(folder, names, now + 361 * day)
    expect(second.client).not.toBe(first.client)
  })

  it('replaces the set when the server is reached by another name', async () => {
    const first = await ensureCertificates(folder, names, now)
    const more = { ...names, server: [...names.server, '10.0.0.7'] }
    expect((await ensureCertificates(folder, more, now)).server).not.toBe(first.server)
  })
})
