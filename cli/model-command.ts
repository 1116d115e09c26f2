import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'

/** The backend's program for models. */
const program = fileURLToPath(new URL('../backend/models/main.ts', import.meta.url))

/** `describe model`: passes all arguments to the backend's program, including --help. */
export function modelCommand(): Command {
  return new Command('model')
    .description('download, check and convert models')
    .helpOption(false)
    .allowUnknownOption()
    .passThroughOptions()
    .argument('[arguments...]')
    .action(async (given: string[]) => {
      process.exitCode = await run(given)
    })
}

/** Runs the program in this terminal. Ctrl-C reaches both; how to react is left to the program. */
async function run(given: readonly string[]): Promise<number> {
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
