import { spawn } from 'node:child_process'

/**
 * Runs a command in this terminal, and in this folder unless another one is given.
 * @returns true when it succeeded
 */
export function run(
  command: string,
  commandArguments: readonly string[],
  options: { readonly cwd?: string } = {},
): Promise<boolean> {
  const child = spawn(command, commandArguments, {
    ...options,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve(code === 0))
  })
}

/** The same for a command from node_modules. */
export function runTool(name: string, ...toolArguments: readonly string[]): Promise<boolean> {
  return run(`node_modules/.bin/${name}`, toolArguments)
}
