/**
 * Names of tenants, among whom the queue shares its turns and whose cache entries are kept apart. Keys and
 * certificates have separate name spaces, so a certificate with the name of a key is a different tenant.
 */
export function tenantOfKey(keyId: string): string {
  return `key:${keyId}`
}

export function tenantOfClient(certificateName: string): string {
  return `client:${certificateName}`
}

/** The tenant of the server's own test generation; no key and no certificate can have this name. */
export const tenantOfServer = 'server:warm-up'
