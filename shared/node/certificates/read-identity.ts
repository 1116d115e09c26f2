import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { ConfigError } from '../settings/environment.ts'
import { splitPem } from './expiry.ts'
import type { TlsIdentity } from './watch-identity.ts'

/**
 * Reads the PEM files that TLS_CA, TLS_CERT and TLS_KEY name.
 * @throws {ConfigError} naming the file that is missing, empty or not a certificate, or when they do not belong
 * together
 */
export async function readIdentity(paths: TlsIdentity): Promise<TlsIdentity> {
  const [ca, cert, key] = await Promise.all([
    readPem('TLS_CA', paths.ca),
    readPem('TLS_CERT', paths.cert),
    readPem('TLS_KEY', paths.key),
  ])
  if (splitPem(ca).length === 0) throw new ConfigError(`${paths.ca} (TLS_CA) holds no certificate`)
  try {
    createSecureContext({ ca, cert, key })
  } catch (cause) {
    throw new ConfigError('TLS_CA, TLS_CERT and TLS_KEY are not PEM files that belong together', {
      cause,
    })
  }
  return { ca, cert, key }
}

async function readPem(setting: string, path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ConfigError(`Cannot read ${path} (${setting})`, { cause })
  })
  // OpenSSL would accept an empty file, and so is a file that is just being written.
  if (text.trim() === '') throw new ConfigError(`${path} (${setting}) is empty`)
  return text
}
