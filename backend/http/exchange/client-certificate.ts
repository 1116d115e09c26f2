import type { X509Certificate } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import type { MiddlewareHandler } from 'hono'
import { ServiceError } from '../../../shared/api/errors.ts'
import type { BackendEnv } from './exchange.ts'

export type ClientListener = (name: string, certificate: X509Certificate) => void

/** Rejects callers whose certificate, although signed by our authority, carries none of the allowed names. */
export function requireClientCertificate(
  allowedNames: readonly string[],
  onClient: ClientListener,
): MiddlewareHandler<BackendEnv> {
  return async function clientCertificate(c, next) {
    const socket = c.env.incoming.socket
    const certificate = socket instanceof TLSSocket ? socket.getPeerX509Certificate() : undefined
    const name = certificate && allowedNameOf(certificate, allowedNames)
    if (certificate === undefined || name === undefined) {
      throw new ServiceError(
        'client_not_allowed',
        'This client certificate may not use this server',
      )
    }
    c.get('exchange').facts.clientName = name
    onClient(name, certificate)
    await next()
  }
}

/** The first allowed name that the certificate carries literally, as SAN DNS name or common name. */
function allowedNameOf(
  certificate: X509Certificate,
  allowedNames: readonly string[],
): string | undefined {
  const options = { subject: 'always', wildcards: false } as const
  return allowedNames.find((name) => certificate.checkHost(name, options) !== undefined)
}
