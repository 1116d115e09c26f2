import { expect } from 'vitest'

/** How many times larger the input of the second measurement is. */
const factor = 16

/** Milliseconds that are always allowed: compiling and garbage collection may take this long. */
const grantedMs = 150

/**
 * Expects work on `factor` times as much input to take about as many times the CPU time. Linear work does; quadratic
 * work takes sixteen times more than that. Eight times more passes, because caches and compilers are noisy.
 */
export function expectLinear<Input>(
  makeInput: (size: number) => Input,
  work: (input: Input) => void,
  size: number,
): void {
  const [small, large] = [makeInput(size), makeInput(factor * size)]
  const smallMs = fastestMs(() => work(small))
  expect(fastestMs(() => work(large))).toBeLessThan(Math.max(grantedMs, 8 * factor * smallMs))
}

/** CPU time rather than elapsed time, so that other programs on the machine do not matter. */
function fastestMs(run: () => void): number {
  let fastest = Infinity
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const start = process.cpuUsage()
    run()
    const { user, system } = process.cpuUsage(start)
    fastest = Math.min(fastest, (user + system) / 1000)
  }
  return fastest
}
