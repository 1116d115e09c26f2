import type { TlsIdentity } from '../../shared/node/certificates/watch-identity.ts'

/**
 * What stands for an mTLS certificate binding in local workerd: requests go out with the identity's certificate, and only
 * its CA is believed.
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
