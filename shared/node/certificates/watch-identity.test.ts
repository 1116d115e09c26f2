import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createCertificates, type CertificateSet } from './create-certificates.ts'
import { readIdentity } from './read-identity.ts'
import { watchIdentity, type TlsIdentity } from './watch-identity.ts'

const names = { server: ['localhost'], client: 'edge' }
const now = Date.parse('2026-03-01T12:00:00Z')

let folder: string
let paths: TlsIdentity
let watched: ReturnType<typeof watchIdentity> | undefined
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'watch-'))
  paths = {
    ca: join(folder, 'ca.pem'),
    cert: join(folder, 'cert.pem'),
    key: join(folder, 'key.pem'),
  }
})
afterEach(async () => {
  watched?.stop()
  await rm(folder, { recursive: true })
})

async function write({ ca, server, serverKey }: CertificateSet): Promise<void> {
  await writeFile(paths.ca, ca)
  await writeFile(paths.cert, server)
  await writeFile(paths.key, serverKey)
}

async function watch(intervalMs = 5) {
  const changes: TlsIdentity[] = []
  const problems: string[] = []
  watched = watchIdentity({
    current: await readIdentity(paths),
    read: () => readIdentity(paths),
    onChange: (identity) => changes.push(identity),
    onProblem: (error) => problems.push(String(error)),
    intervalMs,
  })
  return { changes, problems }
}

describe('readIdentity()', () => {
  it.each(['ca', 'cert', 'key'] as const)(
    'refuses an empty %s, as while it is written',
    async (file) => {
      await write(await createCertificates(names, now))
      await writeFile(paths[file], '')
      await expect(readIdentity(paths)).rejects.toThrow(`TLS_${file.toUpperCase()}`)
    },
  )
})

describe('watchIdentity()', () => {
  it('reports new files once', async () => {
    await write(await createCertificates(names, now))
    const { changes } = await watch()
    const renewed = await createCertificates(names, now)
    await write(renewed)
    await expect.poll(() => changes.at(-1)?.key).toBe(renewed.serverKey)
    const seen = changes.length
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(changes).toHaveLength(seen)
  })

  it('checks on request, even before it is due', async () => {
    await write(await createCertificates(names, now))
    const { changes } = await watch(3_600_000)
    const renewed = await createCertificates(names, now)
    await write(renewed)
    watched?.look()
    await expect.poll(() => changes).toMatchObject([{ key: renewed.serverKey }])
  })

  it('keeps what it has while the files do not fit, and says so once', async () => {
    const first = await createCertificates(names, now)
    await write(first)
    const { changes, problems } = await watch()
    const second = await createCertificates(names, now)
    // At once, or a look in between would find half a file: another problem.
    await writeFile(`${paths.key}.new`, second.serverKey)
    await rename(`${paths.key}.new`, paths.key)
    await expect.poll(() => problems).toHaveLength(1)
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect([changes, problems.length]).toEqual([[], 1])
    await write(second)
    await expect.poll(() => changes.at(-1)?.cert).toBe(second.server)
  })
})
