import { spawnSync } from 'node:child_process'

// Fetching by URL with nothing replaced, yet without the internet: programs run in a separate network namespace,
// where a public address belongs to this machine.

/** A public internet address that the namespace assigns to this machine. */
export const publicAddress = '93.184.216.34'

/** Prefix that runs a command in a new network namespace. */
export const publicNetwork: readonly string[] = [
  'unshare',
  '--map-root-user',
  '--net',
  'sh',
  '-c',
  `ip link set lo up && ip addr add ${publicAddress}/32 dev lo && exec "$@"`,
  'sh',
]

/** False where Linux's unprivileged namespaces are unavailable. */
export function hasPublicNetwork(): boolean {
  const [command, ...rest] = publicNetwork
  return spawnSync(command!, [...rest, 'true']).status === 0
}

/** Prefix that runs a command in the network namespace of a process. */
export function networkOf(pid: number): readonly string[] {
  return ['nsenter', '--user', '--net', '--preserve-credentials', '--target', String(pid)]
}

/**
 * Prefix that runs a command in a new network namespace where every address, of whatever host, is this machine. A
 * connection to the internet arrives at whatever listens on that port here.
 */
export const everyAddressHere: readonly string[] = [
  'unshare',
  '--map-root-user',
  '--net',
  'sh',
  '-c',
  'ip link set lo up && ip route add local default dev lo && exec "$@"',
  'sh',
]
