import { ConfigError } from '../../shared/node/settings/environment.ts'

/** Simultaneous connections of clients: one with a request takes about 50 KB, so these take 0.2 GB. */
const mostConnections = 4_096

/** With fewer, not even a single client could be served. */
const leastConnections = 16

/** Files an edge has open in addition to its connections: databases, certificates, log, fetches of image URLs. */
const ownFiles = 64

/** Each client's connection may need another one to a backend. */
const filesPerConnection = 2

/**
 * How many client connections the edge accepts at once, such that each can have one to a backend.
 * @param openFiles that the process may have open; undefined when unknown
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
