import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writePrivateFile } from '../files/private-file.ts'
import type { Identity } from './authority.ts'

/** The trusted authorities of a folder; see CertificateFolder. */
export const authorityFile = 'ca.pem'

/** File names of the certificate `name` and of its key. */
export function filesOf(name: string): { readonly certificate: string; readonly key: string } {
  return { certificate: `${name}.pem`, key: `${name}-key.pem` }
}

/** Writes a certificate and its key. Only the owner can read the key, which is written before its certificate. */
export async function writeIdentity(
  folder: string,
  name: string,
  { certificate, key }: Identity,
): Promise<void> {
  const files = filesOf(name)
  await writePrivateFile(join(folder, files.key), key)
  await writeCertificates(join(folder, files.certificate), certificate)
}

/** Writes PEM texts of certificates atomically, because a running program may be reading them. */
export async function writeCertificates(path: string, pem: string): Promise<void> {
  const temporary = `${path}.${process.pid}`
  await writeFile(temporary, pem)
  await rename(temporary, path)
}
