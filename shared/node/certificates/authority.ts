import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { dayMs } from '../../time/day.ts'

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' }
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' }

/** Allowed difference between the clocks of two machines. */
const clockSkewMs = 3_600_000

export interface Validity {
  readonly notBefore: Date
  readonly notAfter: Date
}

/** Days a certificate is valid: its peers do not accept more (CA/Browser Forum: 398 days). */
export const leafDays = 390

/** Days an authority is valid: long, because replacing it means touching every machine. */
export const authorityDays = 3_650

/** A private authority: everything needed to sign certificates. */
export interface Authority {
  readonly certificate: X509Certificate
  readonly signingKey: webcrypto.CryptoKey
}

/** PEM texts of a certificate and its private key (PKCS #8). */
export interface Identity {
  readonly certificate: string
  readonly key: string
}

/** What a certificate is for: a TLS server or a TLS client. */
export type CertificateUse = 'server' | 'client'

const extendedUsages = {
  server: ExtendedKeyUsage.serverAuth,
  client: ExtendedKeyUsage.clientAuth,
} as const satisfies Record<CertificateUse, ExtendedKeyUsage>

/** Valid from an hour ago, for `days`. @param now milliseconds since 1970 */
export function validFor(days: number, now: number): Validity {
  return { notBefore: new Date(now - clockSkewMs), notAfter: new Date(now + days * dayMs) }
}

/** A new self-signed authority (ECDSA P-256) that can sign certificates but no further authorities. */
export async function createAuthority(commonName: string, validity: Validity): Promise<Authority> {
  const keys = await generateKeys()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: [{ CN: [commonName] }],
    keys,
    signingAlgorithm,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { certificate, signingKey: keys.privateKey }
}

/** Loads an existing authority. @throws when a PEM text is not valid */
export async function loadAuthority({ certificate, key }: Identity): Promise<Authority> {
  const pkcs8 = PemConverter.decodeFirst(key)
  return {
    certificate: new X509Certificate(certificate),
    signingKey: await webcrypto.subtle.importKey('pkcs8', pkcs8, keyAlgorithm, true, ['sign']),
  }
}

/** The authority as PEM texts, for storage. */
export async function exportAuthority({ certificate, signingKey }: Authority): Promise<Identity> {
  return { certificate: toPem(certificate), key: await keyToPem(signingKey) }
}

/**
 * One certificate with a new ECDSA P-256 key for `names` (DNS names and IP addresses; the first becomes the common
 * name), valid for one use only.
 */
export async function issueCertificate(
  { certificate: ca, signingKey }: Authority,
  validity: Validity,
  names: readonly string[],
  use: CertificateUse,
): Promise<Identity> {
  const keys = await generateKeys()
  const certificate = await X509CertificateGenerator.create({
    ...validity,
    subject: [{ CN: [names[0] ?? ''] }],
    issuer: ca.subject,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([extendedUsages[use]]),
      // Distinguishes authorities of the same name, for example after a rotation.
      await AuthorityKeyIdentifierExtension.create(ca.publicKey),
      new SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
      ),
    ],
  })
  return { certificate: toPem(certificate), key: await keyToPem(keys.privateKey) }
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify'])
}

function toPem(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`
}

async function keyToPem(key: webcrypto.CryptoKey): Promise<string> {
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', key)
  return `${PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`
}
