import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, it } from 'vitest'

const folders = ['.', 'docs', 'deploy', 'models', 'test/golden']

async function documents(): Promise<{ path: string; text: string }[]> {
  const paths = await Promise.all(
    folders.map(async (folder) => (await readdir(folder)).map((name) => join(folder, name))),
  )
  const own = paths.flat().filter((path) => path.endsWith('.md'))
  return Promise.all(own.map(async (path) => ({ path, text: await readFile(path, 'utf8') })))
}

/** The text without its blocks of code. */
function proseOf(text: string): string {
  return text.replace(/^```[\s\S]*?^```$/gm, '')
}

/** What a heading is called in links, as GitHub names it. */
function anchorOf(heading: string): string {
  const words = heading.toLowerCase().replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, '')
  return words.replaceAll(' ', '-')
}

function anchorsOf(text: string): string[] {
  return [...proseOf(text).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading!))
}

it('every link leads to a file, and to a heading in it', async () => {
  const broken: string[] = []
  let links = 0
  for (const { path, text } of await documents()) {
    for (const [, target] of proseOf(text).matchAll(/\]\((?!\w+:)([^)\s]*)\)/g)) {
      links += 1
      const [file, anchor] = target!.split('#')
      const whole = file === '' ? path : join(dirname(path), file!)
      const isThere =
        existsSync(whole) &&
        (anchor === undefined || anchorsOf(await readFile(whole, 'utf8')).includes(anchor))
      if (!isThere) broken.push(`${path}: ${target}`)
    }
  }
  expect(links).toBeGreaterThan(0)
  expect(broken).toEqual([])
})

it('every row of a table has as many cells as its head', async () => {
  const uneven: string[] = []
  let rows = 0
  for (const { path, text } of await documents()) {
    let width: number | undefined
    for (const line of proseOf(text).split('\n')) {
      const cells = /^ *\|/.test(line)
        ? line.replaceAll(/\\\||`[^`]*`/g, '').split('|').length
        : undefined
      if (cells !== undefined && width !== undefined && cells !== width)
        uneven.push(`${path}: ${line}`)
      if (cells !== undefined) rows += 1
      width = cells === undefined ? undefined : (width ?? cells)
    }
  }
  expect(rows).toBeGreaterThan(0)
  expect(uneven).toEqual([])
})

it('every npm script that a document names exists', async () => {
  const { scripts } = JSON.parse(await readFile('package.json', 'utf8')) as {
    scripts: Record<string, string>
  }
  const named = (await documents()).flatMap(({ path, text }) =>
    [...text.matchAll(/npm run ([a-z][a-z:-]*)/g)].map(([, name]) => ({ path, name: name! })),
  )
  expect(named).not.toEqual([])
  expect(named.filter(({ name }) => !(name in scripts))).toEqual([])
})

it('.env.example explains every setting that README.md lists', async () => {
  const [, settings = ''] = (await readFile('README.md', 'utf8')).split('| Setting ')
  const [table = ''] = settings.split('\n\n')
  const listed = [...table.matchAll(/`([A-Z][A-Z_]+)`/g)].map(([, name]) => name)
  const explained = await readFile('.env.example', 'utf8')
  expect(listed).toContain('PORT')
  expect(listed.filter((name) => !new RegExp(`^#?${name}=`, 'm').test(explained))).toEqual([])
})
