import { expect } from 'vitest'

/** How much more is asked of the second of two measurements. */
const factor = 16

/** Milliseconds that are always granted: a busy machine may well interrupt a fast run for as long. */
const grantedMs = 150

/**
 * Expects work on `factor` times as much input to take about as many times as long: linear work does, quadratic work
 * takes sixteen times longer than that. Eight times longer is let pass, as machines are noisy.
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

function fastestMs(run: () => void): number {
  let fastest = Infinity
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const start = performance.now()
    run()
    fastest = Math.min(fastest, performance.now() - start)
  }
  return fastest
}
