import { isIPv6 } from 'node:net'

/** Listening on one of these means listening on every address of the machine. */
const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** Names in every server certificate; `backend` is the usual name of the host among containers. */
const usualNames = ['localhost', '127.0.0.1', '::1', 'backend']

/** Names by which clients may reach a server that listens on `host`. */
export function serverNames(host: string): readonly string[] {
  return wildcards.has(host) || usualNames.includes(host) ? usualNames : [...usualNames, host]
}

/** The host part of a URL that reaches a server listening on `host` from this machine. */
export function urlHost(host: string): string {
  if (wildcards.has(host)) return '127.0.0.1'
  return isIPv6(host) ? `[${host}]` : host
}

/** Whether only this machine reaches a server that listens on `host`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.')
}
