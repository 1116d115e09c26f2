import { once } from 'node:events'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { StartError } from './start-error.ts'

interface PortWanted {
  readonly host: string
  /** 0 takes any free port. */
  readonly port: number
  /** Name of the setting, for the message. */
  readonly setting: string
}

/**
 * Checks that ports can be listened on by briefly listening on all of them.
 * @returns the ports, in the same order
 * @throws {StartError} naming the port and its setting
 */
export async function findFreePorts(wanted: readonly PortWanted[]): Promise<number[]> {
  const servers: Server[] = []
  try {
    for (const each of wanted) servers.push(await listen(each))
    return servers.map((server) => (server.address() as AddressInfo).port)
  } finally {
    await Promise.all(servers.map((server) => once(server.close(), 'close')))
  }
}

async function listen({ host, port, setting }: PortWanted): Promise<Server> {
  const server = createServer()
  try {
    await once(server.listen({ host, port }), 'listening')
    return server
  } catch (error) {
    throw new StartError(explain((error as NodeJS.ErrnoException).code, host, port, setting))
  }
}

function explain(code: string | undefined, host: string, port: number, setting: string): string {
  if (code === 'EADDRINUSE') {
    return `Port ${port} on ${host} is already in use: end the program that uses it, or set ${setting} to another port`
  }
  if (code === 'EACCES') {
    return `Port ${port} needs privileges this user lacks: set ${setting} to a port above 1023`
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return `"${host}" is not an address of this machine: change ${setting.replace('PORT', 'HOST')}`
  }
  return `Cannot listen on port ${port} of ${host} (${code ?? 'unknown reason'}): change ${setting}`
}
