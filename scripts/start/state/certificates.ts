import { X509Certificate, createPrivateKey } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import {
  authorityFile,
  filesOf,
  writeCertificates,
  writeIdentity,
} from '../../../shared/node/certificates/certificate-files.ts'
import { warnBeforeDays } from '../../../shared/node/certificates/expiry.ts'
import type {
  CertificateNames,
  CertificateSet,
} from '../../../shared/node/certificates/create-certificates.ts'
import { dayMs } from '../../../shared/time/day.ts'

/** Files of a certificate folder. The authority's own key is never stored, so nobody can sign with it later. */
const fileNames = {
  ca: authorityFile,
  server: filesOf('server').certificate,
  serverKey: filesOf('server').key,
  client: filesOf('client').certificate,
  clientKey: filesOf('client').key,
} as const satisfies Record<PemName, string>

type PemName = keyof CertificateSet

/**
 * Paths of the certificates for mutual TLS between edge and backend. All are recreated when one is missing, does not
 * match the others or `names`, or expires soon. Only the owner can read keys.
 * @param folder created when missing
 * @param now milliseconds since 1970
 */
export async function ensureCertificates(
  folder: string,
  names: CertificateNames,
  now: number,
): Promise<CertificateSet> {
  const present = await readCertificates(folder)
  if (present !== undefined && isUsable(present, names, now + warnBeforeDays * dayMs)) {
    await Promise.all([
      chmod(join(folder, fileNames.serverKey), 0o600),
      chmod(join(folder, fileNames.clientKey), 0o600),
    ])
    return present
  }
  // Loaded only when needed, because it takes longer than the rest of this file.
  const { createCertificates } =
    await import('../../../shared/node/certificates/create-certificates.ts')
  const created = await createCertificates(names, now)
  await replaceCertificates(folder, created)
  return created
}

async function readCertificates(folder: string): Promise<CertificateSet | undefined> {
  try {
    const read = (name: PemName) => readFile(join(folder, fileNames[name]), 'utf8')
    const [ca, server, serverKey, client, clientKey] = await Promise.all([
      read('ca'),
      read('server'),
      read('serverKey'),
      read('client'),
      read('clientKey'),
    ])
    return { ca, server, serverKey, client, clientKey }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/**
 * True when both certificates are signed by the authority, match their keys and `names`, and are valid until `until`.
 */
function isUsable(set: CertificateSet, names: CertificateNames, until: number): boolean {
  try {
    const ca = new X509Certificate(set.ca)
    const server = new X509Certificate(set.server)
    const client = new X509Certificate(set.client)
    return (
      [ca, server, client].every((certificate) => Date.parse(certificate.validTo) > until) &&
      [server, client].every((certificate) => certificate.verify(ca.publicKey)) &&
      server.checkPrivateKey(createPrivateKey(set.serverKey)) &&
      client.checkPrivateKey(createPrivateKey(set.clientKey)) &&
      names.server.every((name) => server.checkHost(name) ?? server.checkIP(name)) &&
      client.checkHost(names.client) !== undefined
    )
  } catch {
    // Not PEM, or not a certificate: treated as missing.
    return false
  }
}

/** Replaces the whole folder at once, so that no program ever reads a mixture of old and new files. */
async function replaceCertificates(folder: string, set: CertificateSet): Promise<void> {
  await mkdir(dirname(folder), { recursive: true })
  const fresh = await mkdtemp(`${folder}-`)
  await Promise.all([
    writeCertificates(join(fresh, fileNames.ca), set.ca),
    writeIdentity(fresh, 'server', { certificate: set.server, key: set.serverKey }),
    writeIdentity(fresh, 'client', { certificate: set.client, key: set.clientKey }),
  ])
  await rm(folder, { recursive: true, force: true })
  await rename(fresh, folder)
}
