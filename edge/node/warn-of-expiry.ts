import {
  expiryWarning,
  parseCertificates,
  warnEveryMs,
} from '../../shared/node/certificates/expiry.ts'
import type { TlsIdentity } from '../../shared/node/certificates/watch-identity.ts'

/**
 * Warns, at once and then every day, of certificates that end soon: the edge's own, and the authorities it believes.
 * @param identity as it is then
 * @param now milliseconds since 1970
 */
export function warnOfExpiry(
  identity: () => TlsIdentity,
  warn: (line: object, message: string) => void,
  now: () => number,
): void {
  const look = () => {
    const { ca, cert } = identity()
    const [client] = parseCertificates(cert)
    const authorities = parseCertificates(ca).map((one) => ['authority', one] as const)
    const all = client === undefined ? authorities : [['client', client] as const, ...authorities]
    for (const [name, certificate] of all) {
      const warning = expiryWarning(name, certificate, now())
      if (warning === undefined) continue
      const { message, ...line } = warning
      warn(line, message)
    }
  }
  look()
  // Warning keeps no process alive.
  setInterval(look, warnEveryMs).unref()
}
