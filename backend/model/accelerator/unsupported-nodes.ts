import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** How ONNX Runtime refuses a graph of which a node would run on the CPU. */
const refusal = /fallback to CPU EP has been explicitly disabled/

/** Nodes that an error names; a graph made for another device may have thousands. */
const namedNodes = 20

/** Milliseconds in which a graph opens, its log written. */
const patienceMs = 60_000

const entry = fileURLToPath(new URL('./placements-child.ts', import.meta.url))

/**
 * Says which nodes of a graph the card has no implementation for. ONNX Runtime reports that only in its log, so the
 * graph is opened once more, in a process whose log can be read.
 * @param error with which the graph could not be opened
 * @param model the graph's file
 * @returns an error for the operator; the given one when it is about something else
 */
export async function namingNodes(error: unknown, model: Uint8Array): Promise<unknown> {
  if (!(error instanceof Error) || !refusal.test(error.message)) return error
  const nodes = nodesOnHost(await readLog(model))
  const named = nodes.slice(0, namedNodes).join(', ')
  const rest = nodes.length - namedNodes
  const list = rest > 0 ? `${named} and ${rest} more` : named
  // Where all nodes are on the CPU, the log does not list them.
  const which = nodes.length === 0 ? 'any' : `${nodes.length}`
  const nodeList = nodes.length === 0 ? '' : `: ${list}`
  return new Error(
    `The graphics card cannot run ${which} of the graph's nodes${nodeList}. PROVIDER=cpu does without the card.`,
    { cause: error },
  )
}

/**
 * @param log of a session, with details
 * @returns type and name of each node that was placed on the CPU
 */
export function nodesOnHost(log: string): string[] {
  const nodes: string[] = []
  let provider = ''
  for (const line of log.split('\n')) {
    provider = /placed on \[(\w+)\]/.exec(line)?.[1] ?? provider
    const node = /VerifyEachNodeIsAssignedToAnEp\] {3}(\w+ \(.+\))$/.exec(line)?.[1]
    if (node !== undefined && provider === 'CPUExecutionProvider') nodes.push(node)
  }
  return nodes
}

function readLog(model: Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    const child = fork(entry, [], {
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      timeout: patienceMs,
      killSignal: 'SIGKILL',
    })
    let log = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (log += text))
    child.on('error', () => resolve(log))
    child.on('close', () => resolve(log))
    child.send(model)
  })
}
