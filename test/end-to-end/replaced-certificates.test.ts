import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import {
  authorityFile,
  writeCertificates,
  writeIdentity,
} from '../../shared/node/certificates/certificate-files.ts'
import { createCertificates } from '../../shared/node/certificates/create-certificates.ts'
import { type Product, startProduct } from './product.ts'

/** For programs that look at the files every few seconds, on a machine that may be busy. */
const patience = { timeout: 60_000 }

/** Other certificates for the same programs, signed by another authority. */
async function replaceCertificates(folder: string): Promise<void> {
  const names = { server: ['localhost', '127.0.0.1'], client: 'edge' }
  const made = await createCertificates(names, Date.now())
  await writeIdentity(folder, 'server', { certificate: made.server, key: made.serverKey })
  await writeIdentity(folder, 'client', { certificate: made.client, key: made.clientKey })
  await writeCertificates(join(folder, authorityFile), made.ca)
}

async function statusOf(product: Product): Promise<number> {
  return (await product.edge('/health', { method: 'GET' })).status
}

async function end({ child, ended }: Product): Promise<void> {
  child.kill('SIGTERM')
  await ended
}

it('a local workerd says that it keeps its certificates, and takes new ones at its next start', async () => {
  const state = await mkdtemp(join(tmpdir(), 'replaced-'))
  const settings = { EDGE: 'worker', STATE_DIR: state }
  let product = await startProduct(settings)
  try {
    expect(await statusOf(product)).toBe(200)
    await replaceCertificates(join(state, 'certs'))
    await expect
      .poll(() => product.output(), patience)
      .toContain('restart npm start, workerd keeps the previous ones')
    // The backend has taken the new ones by then, or soon will.
    await expect.poll(() => statusOf(product), patience).toBe(503)
    await end(product)
    product = await startProduct(settings)
    expect(await statusOf(product)).toBe(200)
  } finally {
    await end(product)
    await rm(state, { recursive: true })
  }
}, 240_000)
