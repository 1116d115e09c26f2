/** Calls back once after `ms`. @returns a function that cancels the call */
export type After = (ms: number, callback: () => void) => () => void

export const after: After = (ms, callback) => {
  const timer = setTimeout(callback, ms)
  return () => clearTimeout(timer)
}
