import { expect } from 'vitest'

/** How much more is asked of the second of two measurements. */
const factor = 16

/** Milliseconds that are always granted: compiling and collecting garbage may take as long. */
const grantedMs = 150

/**
 * Expects work on `factor` times as much input to take about as many times the processor time: linear work does, quadratic
 * work takes sixteen times more than that. Eight times more passes, as caches and compilers are noisy.
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

/** Processor time, not time: other programs on the machine must not decide. */
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
