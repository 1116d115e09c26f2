import type { X509Certificate } from 'node:crypto'
import type { Log } from '../log/log.ts'
import { expiryOf, expiryWarning, parseCertificates, warnEveryMs } from './expiry.ts'
import type { TlsIdentity } from './watch-identity.ts'

/** A certificate as operators see it. */
export interface CertificateStatus {
  /** `server`, `client` or `authority`, or `client <name>` for the certificate that client last presented. */
  readonly certificate: string
  readonly expires: string
  readonly days_left: number
  /** True when it is time for a new one. */
  readonly warning: boolean
}

interface CertificateWatchParts {
  /** What the program's own certificate is for. */
  readonly use: 'server' | 'client'
  readonly identity: TlsIdentity
  readonly log: Pick<Log, 'warn'>
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
}

/**
 * Watches the expiry of every certificate a program depends on, its clients' included, and warns in time: at once,
 * then daily.
 */
export class CertificateWatch {
  readonly #parts: CertificateWatchParts
  readonly #clients = new Map<string, X509Certificate>()
  #own: readonly (readonly [string, X509Certificate])[] = []

  constructor(parts: CertificateWatchParts) {
    this.#parts = parts
    this.noteOwn(parts.identity)
    // This timer keeps no process alive.
    setInterval(() => this.warn(), warnEveryMs).unref()
  }

  /** Notes the program's own certificate and the authorities it trusts. */
  noteOwn({ ca, cert }: TlsIdentity): void {
    const [own] = parseCertificates(cert)
    this.#own = [
      ...(own === undefined ? [] : [[this.#parts.use, own] as const]),
      ...parseCertificates(ca).map((authority) => ['authority', authority] as const),
    ]
    for (const [name, certificate] of this.#own) this.#warnOf(name, certificate)
  }

  /** Notes the certificate a client presented, on every request. There are at most as many names as are allowed. */
  noteClient(name: string, certificate: X509Certificate): void {
    const isKnown = this.#clients.get(name)?.raw.equals(certificate.raw) === true
    if (isKnown) return
    this.#clients.set(name, certificate)
    this.#warnOf(`client ${name}`, certificate)
  }

  report(): readonly CertificateStatus[] {
    const now = this.#parts.wallClock()
    return this.#all().map(([certificate, one]) => {
      const { expires, daysLeft, warn } = expiryOf(one, now)
      return { certificate, expires, days_left: daysLeft, warning: warn }
    })
  }

  /** Whether the program's own certificate is valid now, and one of the authorities it trusts. */
  isValid(): boolean {
    const valid = this.#own.filter(
      ([, certificate]) => expiryOf(certificate, this.#parts.wallClock()).daysLeft >= 0,
    )
    const names = new Set(valid.map(([name]) => name))
    return names.has(this.#parts.use) && names.has('authority')
  }

  /** Warns about every certificate that expires soon. */
  warn(): void {
    for (const [name, certificate] of this.#all()) this.#warnOf(name, certificate)
  }

  #all(): readonly (readonly [string, X509Certificate])[] {
    const clients = [...this.#clients].map(([name, one]) => [`client ${name}`, one] as const)
    return [...this.#own, ...clients]
  }

  #warnOf(name: string, certificate: X509Certificate): void {
    const warning = expiryWarning(name, certificate, this.#parts.wallClock())
    if (warning === undefined) return
    const { message, ...line } = warning
    this.#parts.log.warn(line, message)
  }
}
