import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'

/** Waits until the other end is gone, then ends the process group given by its first argument, including itself. */
const script = 'read -r end; kill -KILL "-$1"'

/**
 * From now on this process's group ends with it, even when it is killed together with the launcher, which otherwise
 * ends the group. workerd does not notice that its parent is gone, and would keep the port.
 *
 * Has no effect unless this process leads its group, as the launcher's programs do.
 */
export function endGroupWithThisProcess(): void {
  const guard = spawn('/bin/sh', ['-c', script, 'sh', String(process.pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  // Without a shell there is no guard, and that must not stop this process.
  guard.on('error', () => undefined)
  const pipe = guard.stdin as Socket
  pipe.on('error', () => undefined)
  pipe.unref()
  guard.unref()
}
