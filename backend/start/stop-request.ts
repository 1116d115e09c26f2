import { exitAfter } from '../../shared/node/process/end-process.ts'
import type { LogSink } from '../../shared/node/log/log-sink.ts'
import { isInTerminal } from '../../shared/node/process/terminal.ts'

/**
 * Runs `stop` once and ends the program: on a signal, or when the program that started this one is gone. A second
 * request makes it hurry.
 * @returns a signal that is aborted from then on
 */
export function onStopRequest(
  output: LogSink,
  stop: (hurry: AbortSignal) => Promise<void>,
): AbortSignal {
  const requested = new AbortController()
  const hurry = new AbortController()
  const onRequest = async () => {
    if (requested.signal.aborted) return hurry.abort()
    requested.abort()
    await stop(hurry.signal)
    await exitAfter(output, 0)
  }
  for (const event of ['SIGINT', 'SIGTERM', 'disconnect'] as const)
    process.on(event, () => void onRequest())
  if (isInTerminal()) process.on('SIGHUP', () => void onRequest())
  return requested.signal
}
