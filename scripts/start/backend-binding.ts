import type { TlsIdentity } from '../../shared/node/certificates/watch-identity.ts'

/**
 * Replaces an mTLS certificate binding in local workerd: requests carry the identity's certificate, and only its CA is
 * trusted.
 */
export function backendBinding({ ca, cert, key }: TlsIdentity) {
  return {
    network: {
      allow: ['local', 'private', 'public'],
      tlsOptions: {
        keypair: { privateKey: key, certificateChain: cert },
        trustedCertificates: [ca],
        trustBrowserCas: false,
      },
    },
  }
}
