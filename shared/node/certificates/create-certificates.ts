import {
  createAuthority,
  exportAuthority,
  issueCertificate,
  leafDays,
  validFor,
} from './authority.ts'

/** PEM texts of one authority and of the two certificates it signed. */
export interface CertificateSet {
  readonly ca: string
  readonly server: string
  readonly serverKey: string
  readonly client: string
  readonly clientKey: string
}

export interface CertificateNames {
  /** DNS names and IP addresses under which the backend is reached. */
  readonly server: readonly string[]
  /** Name of the client, checked by the backend. */
  readonly client: string
}

/**
 * Makes an authority, a server and a client certificate for development. The authority's key is discarded.
 * @param now milliseconds since 1970
 */
export async function createCertificates(
  names: CertificateNames,
  now: number,
): Promise<CertificateSet> {
  const validity = validFor(leafDays, now)
  const authority = await createAuthority('Describe Server development authority', validity)
  const [ca, server, client] = await Promise.all([
    exportAuthority(authority),
    issueCertificate(authority, validity, names.server, 'server'),
    issueCertificate(authority, validity, [names.client], 'client'),
  ])
  return {
    ca: ca.certificate,
    server: server.certificate,
    serverKey: server.key,
    client: client.certificate,
    clientKey: client.key,
  }
}
