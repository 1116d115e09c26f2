import { spawn } from 'node:child_process'
import type { Socket } from 'node:net'

/** Waits until the other end is gone, then ends the process group given by its first argument. */
const script = 'read -r end; kill -KILL "-$1"'

/**
 * From now on this process's group ends with it, even when it is killed together with the launcher, which otherwise
 * ends the group. workerd does not notice that its parent is gone, and would keep the port.
 *
 * Has no effect unless this process leads its group, as the launcher's programs do.
 */
export function endGroupWithThisProcess(): void {
  guardGroup(process.pid, false)
}

/**
 * From now on the group that another process leads ends with this process, however that happens.
 * @returns a function to call once that group has ended, because its number may be used again
 */
export function endWithThisProcess(leader: number): () => void {
  // In a group of its own, or Ctrl-C in a terminal would end it with this process.
  return guardGroup(leader, true)
}

function guardGroup(leader: number, detached: boolean): () => void {
  const guard = spawn('/bin/sh', ['-c', script, 'sh', String(leader)], {
    detached,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  // Without a shell there is no guard, and that must not stop this process.
  guard.on('error', () => undefined)
  const pipe = guard.stdin as Socket
  pipe.on('error', () => undefined)
  pipe.unref()
  guard.unref()
  return () => void guard.kill('SIGKILL')
}
