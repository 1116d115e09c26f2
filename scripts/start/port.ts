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
 * Where free ports are searched: below those that systems assign to connections and listeners (32768 and above on
 * Linux), so that no other program gets one by chance before ours listens on it.
 */
const [firstFree, freeCount] = [20_000, 12_000]

/** Consecutive ports that one process tries first; the next process begins after them. */
const portsPerProcess = 8

/** How many free ports this process has searched for. */
let looked = 0

/**
 * Checks that ports can be listened on by briefly listening on all of them.
 * @returns the ports, in the same order
 * @throws {StartError} naming the port and its setting
 */
export async function findFreePorts(wanted: readonly PortWanted[]): Promise<number[]> {
  const servers: Server[] = []
  try {
    for (const each of wanted) servers.push(await (each.port === 0 ? findOne(each) : listen(each)))
    return servers.map((server) => (server.address() as AddressInfo).port)
  } finally {
    await Promise.all(servers.map((server) => once(server.close(), 'close')))
  }
}

/** Processes search in different places, because two that start at the same time would otherwise find the same port. */
async function findOne(wanted: PortWanted): Promise<Server> {
  for (let tried = 0; tried < freeCount; tried += 1) {
    const port = firstFree + ((process.pid * portsPerProcess + looked++) % freeCount)
    const server = await listen({ ...wanted, port }).catch((error: StartError) => {
      if ((error.cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    })
    if (server !== undefined) return server
  }
  return listen(wanted)
}

async function listen({ host, port, setting }: PortWanted): Promise<Server> {
  const server = createServer()
  try {
    await once(server.listen({ host, port }), 'listening')
    return server
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new StartError(explain(code, host, port, setting), { cause: error })
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
