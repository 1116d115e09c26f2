import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import { ConfigError } from '../../shared/node/environment.ts'

/** PEM texts. `ca` is our own authority and the only one believed. */
export interface TlsFiles {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** Reads the server's identity. @throws {ConfigError} naming the file that is missing or no PEM */
export async function readTlsFiles(paths: TlsFiles): Promise<TlsFiles> {
  const [ca, cert, key] = await Promise.all([
    readPem('TLS_CA', paths.ca),
    readPem('TLS_CERT', paths.cert),
    readPem('TLS_KEY', paths.key),
  ])
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
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new ConfigError(`Cannot read ${path} (${setting})`, { cause })
  }
}
