/** PEM texts of one side of mutual TLS: the authorities it trusts, its certificate and its key. */
export interface TlsIdentity {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** Milliseconds between two checks of the files: they cost three small reads, and no rotation is urgent. */
const lookMs = 5_000

interface WatchOptions {
  /** The identity in use now. */
  readonly current: TlsIdentity
  /** Reads and checks the files. Rejects when they do not fit together, for example while they are being replaced. */
  readonly read: () => Promise<TlsIdentity>
  /** Called when the files hold a different, usable identity. */
  readonly onChange: (identity: TlsIdentity) => void
  /** Called once for each new problem with the files; the identity in use stays. */
  readonly onProblem: (error: unknown) => void
  /** Milliseconds between checks; set by tests. */
  readonly intervalMs?: number
}

interface IdentityWatch {
  /** Checks now instead of waiting for the timer. */
  readonly look: () => void
  readonly stop: () => void
}

/**
 * Periodically checks whether certificate files were replaced. It polls rather than watches, because notifications do
 * not work on network file systems, nor for the links that Kubernetes swaps.
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
  // This timer keeps no process alive.
  timer.unref()
  return { look: () => void look(), stop: () => clearInterval(timer) }
}

function isSame(left: TlsIdentity, right: TlsIdentity): boolean {
  return left.ca === right.ca && left.cert === right.cert && left.key === right.key
}
