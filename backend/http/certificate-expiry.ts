import type { X509Certificate } from 'node:crypto'
import {
  expiryOf,
  expiryWarning,
  parseCertificates,
  warnEveryMs,
} from '../../shared/node/certificates/expiry.ts'
import type { TlsIdentity } from '../../shared/node/certificates/watch-identity.ts'
import type { Log } from '../../shared/node/log.ts'

/** A certificate as operators see it. */
export interface CertificateStatus {
  /** `server`, `authority`, or `client <name>` for the last one a client came with. */
  readonly certificate: string
  readonly expires: string
  readonly days_left: number
  /** True when it is time for a new one. */
  readonly warning: boolean
}

interface CertificateExpiryParts {
  readonly identity: TlsIdentity
  readonly log: Log
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
}

/** Knows when the certificates end that this server lives on, its clients' too, and says so in time. */
export class CertificateExpiry {
  readonly #parts: CertificateExpiryParts
  readonly #clients = new Map<string, X509Certificate>()
  readonly #warnedAt = new Map<string, number>()
  #own: readonly (readonly [string, X509Certificate])[] = []

  constructor(parts: CertificateExpiryParts) {
    this.#parts = parts
    this.noteOwn(parts.identity)
  }

  /** The server's own certificate, and the authorities it believes. */
  noteOwn({ ca, cert }: TlsIdentity): void {
    this.#warnedAt.clear()
    const [server] = parseCertificates(cert)
    this.#own = [
      ...(server === undefined ? [] : [['server', server] as const]),
      ...parseCertificates(ca).map((authority) => ['authority', authority] as const),
    ]
    for (const [name, certificate] of this.#own) this.#warn(name, certificate)
  }

  /** The certificate a client came with. There are as many names as are allowed. */
  noteClient(name: string, certificate: X509Certificate): void {
    this.#clients.set(name, certificate)
    this.#warn(`client ${name}`, certificate)
    for (const [own, ours] of this.#own) this.#warn(own, ours)
  }

  report(): readonly CertificateStatus[] {
    const now = this.#parts.wallClock()
    const clients = [...this.#clients].map(([name, one]) => [`client ${name}`, one] as const)
    return [...this.#own, ...clients].map(([certificate, one]) => {
      const { expires, daysLeft, warn } = expiryOf(one, now)
      return { certificate, expires, days_left: daysLeft, warning: warn }
    })
  }

  /** Asked with every request, so that it needs no timer; parsing the date costs microseconds. */
  #warn(name: string, certificate: X509Certificate): void {
    const now = this.#parts.wallClock()
    if (now - (this.#warnedAt.get(name) ?? -Infinity) < warnEveryMs) return
    this.#warnedAt.set(name, now)
    const warning = expiryWarning(name, certificate, now)
    if (warning === undefined) return
    const { message, ...line } = warning
    this.#parts.log.warn(line, message)
  }
}
