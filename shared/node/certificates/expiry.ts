import { X509Certificate } from 'node:crypto'
import { dayMs } from '../../time/day.ts'

/** Days before expiry at which warnings begin: time to notice, and to issue and distribute a new certificate. */
export const warnBeforeDays = 30

/** How long a certificate remains valid. */
export interface Expiry {
  /** ISO 8601, UTC. */
  readonly expires: string
  /** Whole days; negative once it has expired. */
  readonly daysLeft: number
  readonly warn: boolean
}

/** @param now milliseconds since 1970 */
export function expiryOf(certificate: X509Certificate, now: number): Expiry {
  const end = Date.parse(certificate.validTo)
  const daysLeft = Math.floor((end - now) / dayMs)
  return { expires: new Date(end).toISOString(), daysLeft, warn: daysLeft < warnBeforeDays }
}

/** Milliseconds between two warnings about the same certificate. */
export const warnEveryMs = dayMs

interface ExpiryWarning {
  readonly message: string
  readonly certificate: string
  readonly expires: string
  readonly days_left: number
}

/** The log line about a certificate that expires soon. @returns undefined while there is time */
export function expiryWarning(
  name: string,
  certificate: X509Certificate,
  now: number,
): ExpiryWarning | undefined {
  const { expires, daysLeft, warn } = expiryOf(certificate, now)
  if (!warn) return undefined
  const message = daysLeft < 0 ? 'certificate has expired' : 'certificate expires soon'
  return { message, certificate: name, expires, days_left: daysLeft }
}

/** The certificates in a PEM text, in order. @throws when one cannot be read */
export function parseCertificates(pem: string): readonly X509Certificate[] {
  return splitPem(pem).map((text) => new X509Certificate(text))
}

/** Each certificate of a PEM text as a PEM text of its own. */
export function splitPem(pem: string): readonly string[] {
  return (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    (text) => `${text}\n`,
  )
}
