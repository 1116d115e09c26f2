import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ProbeResult } from './adapter.ts'
import { cardMemory } from './card-memory.ts'
import { missingCard } from './device-files.ts'
import { missingDriver } from '../model/accelerator/driver-files.ts'
import { isSoftware, loaderLogSetting, readDriverLog } from './driver-log.ts'

/** The trial process's only message. */
export type FromProbe =
  { readonly problem: string } | { readonly isOpen: true; readonly holdsCard: boolean }

/** Milliseconds in which a driver must open: compiling the first shaders takes a second on a slow machine. */
const usualPatienceMs = 30_000

/** Characters of the driver's log that are kept; what names the device comes early. */
const keptLog = 1_000_000

interface ProbeOptions {
  /** Environment of the trial process. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Whether to try at all where nothing but a software driver can be found. */
  readonly triesSoftware: boolean
  /** Milliseconds in which the driver must open; 30 seconds unless given. */
  readonly patienceMs?: number
}

const entry = fileURLToPath(new URL('./probe-child.ts', import.meta.url))

/** Looks for a graphics card and tries it, in a process of its own: drivers crash, and some never return. */
export async function probeAdapter({
  environment,
  triesSoftware,
  patienceMs = usualPatienceMs,
}: ProbeOptions): Promise<ProbeResult> {
  const inaccessible = await missingCard()
  if (!triesSoftware && inaccessible !== undefined) return { problem: inaccessible }
  const { answer, log, ending } = await runTrial(environment, patienceMs)
  if (answer === undefined) return { problem: `its driver failed (${ending})` }
  if ('problem' in answer) {
    const causes = [inaccessible, missingDriver(environment)].filter((one) => one !== undefined)
    return { problem: [answer.problem, ...causes].join('; ') }
  }
  const driver = readDriverLog(log)
  // A sandbox may hide the card's files.
  const isReal = driver === undefined ? answer.holdsCard : !isSoftware(driver)
  return {
    adapter: {
      name: driver?.name,
      driver: driver?.library,
      kind: isReal ? 'hardware' : 'software',
      memory: isReal ? await cardMemory(driver?.library) : undefined,
    },
  }
}

interface Trial {
  readonly answer: FromProbe | undefined
  readonly log: string
  /** How the process ended, for people. */
  readonly ending: string
}

function runTrial(environment: ProbeOptions['environment'], patienceMs: number): Promise<Trial> {
  return new Promise((resolve) => {
    const child = fork(entry, {
      env: { ...environment, ...loaderLogSetting },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let answer: FromProbe | undefined
    let log = ''
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      child.kill('SIGKILL')
    }, patienceMs)
    child.on('message', (message: FromProbe) => (answer = message))
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (log.length < keptLog) log += text
    })
    child.on('error', (error) => resolve({ answer: undefined, log, ending: error.message }))
    child.on('close', (code, signal) => {
      clearTimeout(timer)
      const late = `no answer within ${patienceMs / 1_000} seconds`
      resolve({ answer, log, ending: isLate ? late : (signal ?? `exit code ${code}`) })
    })
  })
}
