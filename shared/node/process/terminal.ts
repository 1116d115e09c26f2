import { isatty } from 'node:tty'

const stdio = [0, 1, 2]

/** Whether this process was started in a terminal. In that case SIGHUP means that the terminal is gone. */
export function isInTerminal(): boolean {
  return stdio.some((descriptor) => isatty(descriptor))
}
