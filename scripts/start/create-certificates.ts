import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import type { CertificateNames, CertificateSet } from './certificates.ts'

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' }
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' }

/** The longest that TLS clients accept for a server certificate (CA/Browser Forum, 398 days), rounded down. */
const validDays = 390
const dayMs = 86_400_000

/** The clocks of two machines may differ by this much. */
const clockSkewMs = 3_600_000

interface Authority {
  readonly certificate: X509Certificate
  readonly signingKey: webcrypto.CryptoKey
}

/** Makes an authority, a server and a client certificate, ECDSA P-256 each. The authority's key is forgotten. */
export async function createCertificates(
  names: CertificateNames,
  now: number,
): Promise<CertificateSet> {
  const validity = {
    notBefore: new Date(now - clockSkewMs),
    notAfter: new Date(now + validDays * dayMs),
  }
  const authority = await createAuthority(validity)
  const [server, client] = await Promise.all([
    issue(authority, validity, names.server, ExtendedKeyUsage.serverAuth),
    issue(authority, validity, [names.client], ExtendedKeyUsage.clientAuth),
  ])
  return {
    ca: toPem(authority.certificate),
    server: server.certificate,
    serverKey: server.key,
    client: client.certificate,
    clientKey: client.key,
  }
}

async function createAuthority(validity: { notBefore: Date; notAfter: Date }): Promise<Authority> {
  const keys = await generateKeys()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: 'CN=Describe Server development authority',
    keys,
    signingAlgorithm,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
    ],
  })
  return { certificate, signingKey: keys.privateKey }
}

/** One certificate for `names` (the first becomes its common name) that is good for `usage` alone. */
async function issue(
  { certificate: ca, signingKey }: Authority,
  validity: { notBefore: Date; notAfter: Date },
  names: readonly string[],
  usage: ExtendedKeyUsage,
): Promise<{ certificate: string; key: string }> {
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
      new ExtendedKeyUsageExtension([usage]),
      new SubjectAlternativeNameExtension(
        names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
      ),
    ],
  })
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)
  return { certificate: toPem(certificate), key: `${PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n` }
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify'])
}

function toPem(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`
}
