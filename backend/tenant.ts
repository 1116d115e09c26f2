/**
 * Names of tenants, whom the queue shares its turns among and caches keep apart. Keys and certificates have name spaces
 * of their own: a certificate called like a key is somebody else.
 */
export function tenantOfKey(keyId: string): string {
  return `key:${keyId}`
}

export function tenantOfClient(certificateName: string): string {
  return `client:${certificateName}`
}

/** Whom the server's own test generation is for; no key and no certificate can be called so. */
export const tenantOfServer = 'server:warm-up'
