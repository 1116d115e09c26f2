import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'

/** Programs of the backend with commands of their own. */
const programs = {
  model: {
    entry: '../backend/models/main.ts',
    description: 'download, check and convert models',
  },
  engine: {
    entry: '../backend/engines/main.ts',
    description: 'examine engines such as vLLM that the backend is to use',
  },
  doctor: {
    entry: '../backend/doctor/main.ts',
    description: 'examine this machine: what the backend would use, and what it lacks',
  },
} as const

/** `describe model`, `describe engine` or `describe doctor`: passes all arguments to the backend's program, including --help. */
export function programCommand(name: keyof typeof programs): Command {
  const { entry, description } = programs[name]
  const program = fileURLToPath(new URL(entry, import.meta.url))
  return new Command(name)
    .description(description)
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .argument('[arguments...]')
    .action(async (given: string[]) => {
      process.exitCode = await run(program, given)
    })
}

/** Runs the program in this terminal. Ctrl-C reaches both; the program decides how to react. */
async function run(program: string, given: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [...process.execArgv, program, ...given], {
    stdio: 'inherit',
  })
  const passOn = (signal: NodeJS.Signals) => void child.kill(signal)
  const ignore = () => {}
  process.on('SIGINT', ignore)
  process.on('SIGTERM', passOn)
  try {
    const [code] = (await once(child, 'exit')) as [number | null]
    return code ?? 1
  } finally {
    process.off('SIGINT', ignore)
    process.off('SIGTERM', passOn)
  }
}
