import { ConfigError } from '../../shared/node/environment.ts'

/** Clients' connections at once: one with a request takes some 50 KB, so these 0.2 GB. */
const mostConnections = 4_096

/** With fewer, a single client could not work. */
const leastConnections = 16

/** Files an edge has open beside its connections: databases, certificates, log, fetches of image URLs. */
const ownFiles = 64

/** Each client's connection may need one to a backend. */
const filesPerConnection = 2

/**
 * How many connections of clients the edge takes at once, so that there is one to a backend for each of them.
 * @param openFiles that the process may have open; undefined where it cannot be known
 * @throws {ConfigError} naming the limit and what is needed, when it is too low to run with
 */
export function connectionLimit(openFiles = Infinity): number {
  const least = ownFiles + filesPerConnection * leastConnections
  if (openFiles < least) {
    throw new ConfigError(
      `This process may have only ${openFiles} files open (ulimit -n); at least ${least} are needed`,
    )
  }
  return Math.min(Math.floor((openFiles - ownFiles) / filesPerConnection), mostConnections)
}
