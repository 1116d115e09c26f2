import { isatty } from 'node:tty'

const stdio = [0, 1, 2]

/** Whether this process was started in a terminal. A SIGHUP then means that the terminal is gone. */
export function isInTerminal(): boolean {
  return stdio.some((descriptor) => isatty(descriptor))
}
