import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writePrivateFile } from '../private-file.ts'
import type { Identity } from './authority.ts'

/** Certificates the authorities of a folder are believed for; see CertificateFolder. */
export const authorityFile = 'ca.pem'

/** Where the certificate `name` of a folder is, and where its key. */
export function filesOf(name: string): { readonly certificate: string; readonly key: string } {
  return { certificate: `${name}.pem`, key: `${name}-key.pem` }
}

/** Writes a certificate and its key. The key can be read by its owner only, and is there before its certificate. */
export async function writeIdentity(
  folder: string,
  name: string,
  { certificate, key }: Identity,
): Promise<void> {
  const files = filesOf(name)
  await writePrivateFile(join(folder, files.key), key)
  await writeCertificates(join(folder, files.certificate), certificate)
}

/** Writes PEM texts of certificates, whole or not at all: a running program may be looking. */
export async function writeCertificates(path: string, pem: string): Promise<void> {
  const temporary = `${path}.${process.pid}`
  await writeFile(temporary, pem)
  await rename(temporary, path)
}
