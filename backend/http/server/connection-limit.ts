import { ConfigError } from '../../../shared/node/settings/environment.ts'

/** Simultaneous connections: one takes about 80 KB with its TLS state, so these take 0.3 GB. */
const mostConnections = 4_096

/** With fewer, not even a single edge could work. */
const leastConnections = 16

/**
 * Files a backend has open in addition to its connections: its programs, their pipes, the model, fetches of image
 * URLs.
 */
const ownFiles = 64

/** And for each thread that prepares pictures. */
const filesPerThread = 4

/**
 * How many connections a backend accepts at once, such that enough files are left for its own work.
 * @param openFiles that the process may have open; undefined when unknown
 * @throws {ConfigError} naming the limit and what is needed, when it is too low to run with
 */
export function connectionLimit(openFiles: number | undefined, threads: number): number {
  const reserved = ownFiles + filesPerThread * threads
  const limit = openFiles ?? Infinity
  if (limit < reserved + leastConnections) {
    throw new ConfigError(
      `This process may have only ${limit} files open (ulimit -n); at least ${reserved + leastConnections} are needed with ${threads} threads, and one more for each further connection`,
    )
  }
  return Math.min(limit - reserved, mostConnections)
}
