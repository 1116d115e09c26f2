import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const module = JSON.stringify(new URL('young-space.mjs', import.meta.url).href)

/** Megabytes of V8's young spaces after a program had up to 400,000 objects alive at once. */
async function youngMegabytes(before: string): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '--eval',
    `import { getHeapSpaceStatistics } from 'node:v8'
    import { keepYoungSpaceSmall } from ${module}
    ${before}
    let alive = []
    for (let index = 0; index < 3_000_000; index++) {
      alive.push({ index })
      if (alive.length > 400_000) alive = alive.slice(200_000)
    }
    const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
    console.log(space.space_size / 2 ** 20)`,
  ])
  return Number(stdout)
}

it('keeps the space for young objects from growing', async () => {
  expect(await youngMegabytes('keepYoungSpaceSmall()')).toBeLessThan(4)
  expect(await youngMegabytes('')).toBeGreaterThan(16)
})
