/** A graphics card, or a driver that stands in for one, as the WebGPU provider sees it. */
export interface Adapter {
  /** The name that its driver reports; undefined where the system reports none. */
  readonly name: string | undefined
  /** File name of its Vulkan driver; undefined on systems without Vulkan. */
  readonly driver: string | undefined
  /** `software`: the driver computes on the CPU, which is slower than the CPU form of the model. */
  readonly kind: 'hardware' | 'software'
  /** Undefined where the system does not report it. */
  readonly memory: AdapterMemory | undefined
}

export interface AdapterMemory {
  readonly totalBytes: number
  readonly freeBytes: number
}

/** The result of looking for a graphics card; `problem` is meant for the operator. */
export type ProbeResult = { readonly adapter: Adapter } | { readonly problem: string }

/** For the operator's log: name, driver and memory, as far as they are known. */
export function describeAdapter({ name, driver, memory }: Adapter): string {
  const parts = [name ?? 'a graphics card', ...(driver === undefined ? [] : [`driver ${driver}`])]
  if (memory !== undefined) {
    parts.push(`${gigabytes(memory.freeBytes)} of ${gigabytes(memory.totalBytes)} free`)
  }
  return parts.join(', ')
}

export function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`
}
