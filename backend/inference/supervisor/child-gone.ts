import type { ChildProcess } from 'node:child_process'

/**
 * Settles once the child has ended and all its messages have been delivered; either may come first.
 * @returns how it ended, for people
 */
export function childGone(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let ending: string | undefined
    const settle = () => {
      if (ending !== undefined && !child.connected) resolve(ending)
    }
    child.once('exit', (code, signal) => {
      ending = signal === null ? `exit code ${code}` : `signal ${signal}`
      settle()
    })
    child.once('disconnect', settle)
    child.on('error', () => {
      if (child.pid === undefined) resolve('the program could not be started')
    })
  })
}
