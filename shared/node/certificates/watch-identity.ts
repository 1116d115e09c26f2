/** PEM texts of one side of mutual TLS: whom it believes, who it is, and the proof. */
export interface TlsIdentity {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** Milliseconds between two looks at the files: three small reads, and nobody waits for a rotation. */
const lookMs = 5_000

interface WatchOptions {
  /** What is in use now. */
  readonly current: TlsIdentity
  /** Reads and checks the files. Rejects when they do not fit together, as while they are being replaced. */
  readonly read: () => Promise<TlsIdentity>
  /** The files hold something else, and it is usable. */
  readonly onChange: (identity: TlsIdentity) => void
  /** The files cannot be used; what was in use before stays. Told once for each new problem. */
  readonly onProblem: (error: unknown) => void
  /** Milliseconds; for tests. */
  readonly intervalMs?: number
}

interface IdentityWatch {
  /** Looks now, and not only when it is time. */
  readonly look: () => void
  readonly stop: () => void
}

/**
 * Looks again and again whether certificate files were replaced. Files are looked at rather than watched: notifications
 * do not work on network file systems, nor for the links that Kubernetes swaps.
 */
export function watchIdentity(options: WatchOptions): IdentityWatch {
  const { read, onChange, onProblem, intervalMs = lookMs } = options
  let { current } = options
  let lastProblem: string | undefined
  let isLooking = false
  const look = async () => {
    if (isLooking) return
    isLooking = true
    try {
      const found = await read()
      lastProblem = undefined
      if (isSame(found, current)) return
      current = found
      onChange(found)
    } catch (error) {
      const problem = String(error)
      if (problem !== lastProblem) onProblem(error)
      lastProblem = problem
    } finally {
      isLooking = false
    }
  }
  const timer = setInterval(() => void look(), intervalMs)
  // Looking keeps no process alive.
  timer.unref()
  return { look: () => void look(), stop: () => clearInterval(timer) }
}

function isSame(left: TlsIdentity, right: TlsIdentity): boolean {
  return left.ca === right.ca && left.cert === right.cert && left.key === right.key
}
