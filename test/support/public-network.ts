import { spawnSync } from 'node:child_process'

// Fetching by URL with nothing replaced, yet without the internet: programs run in a network namespace of their own,
// where a public address is this machine.

/** An address of the public internet that the namespace gives to this machine. */
export const publicAddress = '93.184.216.34'

/** Runs the command behind it in a new network namespace. */
export const publicNetwork: readonly string[] = [
  'unshare',
  '--map-root-user',
  '--net',
  'sh',
  '-c',
  `ip link set lo up && ip addr add ${publicAddress}/32 dev lo && exec "$@"`,
  'sh',
]

/** False where Linux's unprivileged namespaces cannot be had. */
export function hasPublicNetwork(): boolean {
  const [command, ...rest] = publicNetwork
  return spawnSync(command!, [...rest, 'true']).status === 0
}

/** Runs the command behind it in the network namespace of a process. */
export function networkOf(pid: number): readonly string[] {
  return ['nsenter', '--user', '--net', '--preserve-credentials', '--target', String(pid)]
}
