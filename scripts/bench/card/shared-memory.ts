import type { Tensor } from 'onnxruntime-node'
import type { Accelerator } from '../../../backend/model/accelerator/accelerator.ts'

/**
 * An accelerator on which weights of the same type and size are one tensor: a model of many equal layers takes the memory
 * of one, and every run does the same work.
 */
export function sharingAccelerator(inner: Accelerator): Accelerator {
  const uploaded = new Map<string, Promise<Tensor>>()
  return {
    ...forwarding(inner),
    upload(type, dims, bytes) {
      const key = `${type} ${dims.join()}`
      const known = uploaded.get(key)
      if (known !== undefined) return known
      const made = inner.upload(type, dims, bytes)
      uploaded.set(key, made)
      return made
    },
  }
}

/**
 * An accelerator on which tensors of one type and size share memory when they are requested again in the same order.
 */
export interface RememberingAccelerator {
  readonly accelerator: Accelerator
  /** The same memory again, for graphs that another accelerator of the same device opens. */
  again(opener: Pick<Accelerator, 'open'>): Accelerator
}

export function rememberingAccelerator(inner: Accelerator): RememberingAccelerator {
  const made = new Map<string, Promise<Tensor>[]>()
  const asked = new Map<string, number>()
  const remembered = (key: string, make: () => Promise<Tensor>) => {
    const tensors = made.get(key) ?? []
    made.set(key, tensors)
    const place = asked.get(key) ?? 0
    asked.set(key, place + 1)
    tensors[place] ??= make()
    return tensors[place]
  }
  const accelerator: Accelerator = {
    ...forwarding(inner),
    upload: (type, dims, bytes) =>
      remembered(`upload ${type} ${dims.join()}`, () => inner.upload(type, dims, bytes)),
    zeros: (type, dims) =>
      remembered(`zeros ${type} ${dims.join()}`, () => inner.zeros(type, dims)),
  }
  return {
    accelerator,
    again(opener) {
      asked.clear()
      return { ...accelerator, open: (graph) => opener.open(graph) }
    },
  }
}

function forwarding(inner: Accelerator): Accelerator {
  return {
    hasFloat16: inner.hasFloat16,
    repeating: undefined,
    open: (graph) => inner.open(graph),
    upload: (type, dims, bytes) => inner.upload(type, dims, bytes),
    zeros: (type, dims) => inner.zeros(type, dims),
    free: (tensor) => inner.free(tensor),
    view: (tensor, dims) => inner.view(tensor, dims),
    readRow: (matrix, row) => inner.readRow(matrix, row),
    run: (session, feeds, updated) => inner.run(session, feeds, updated),
    close: () => inner.close(),
  }
}
