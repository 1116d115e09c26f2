import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { posix } from 'node:path'
import { pageFolder } from '../../../shared/api/routes.ts'
import type { PageFile, PageFiles, PagePath } from '../../page/page-files.ts'

const root = new URL('../../../', import.meta.url)
const folder = 'edge/page/browser'
const sources = { '/': 'ask.html', '/docs': 'docs.html' } as const satisfies Record<
  PagePath,
  string
>

/** Reads the pages, and the modules and styles they load, from their sources. */
export async function readPage(): Promise<PageFiles> {
  const texts = {
    '/': await read(folder, sources['/']),
    '/docs': await read(folder, sources['/docs']),
  }
  const files: Record<string, PageFile> = {}
  for (const html of Object.values(texts)) {
    for (const path of loadedBy(html)) await collect(path, files)
  }
  const version = versionOf([texts, files])
  const place = (html: string) => withAddresses(html, `${pageFolder}/${version}`, files)
  return { version, files, pages: { '/': place(texts['/']), '/docs': place(texts['/docs']) } }
}

/** A relative URL in HTML, which everything a page loads has. */
const relativeAddress = /(?<=\b(?:href|src)=")\.\/([\w./-]+)(?=")/g
const importedModule = /(?:\bfrom|^import)\s*'(\.[^']+)'/gm

function loadedBy(html: string): string[] {
  return [...html.matchAll(relativeAddress)].map(([, name]) => posix.join(folder, name!))
}

function importsOf(path: string, { type, text }: PageFile): string[] {
  if (type !== 'text/javascript') return []
  return [...text.matchAll(importedModule)].map(([, name]) =>
    posix.join(posix.dirname(path), name!),
  )
}

/** Adds the file and everything it imports. */
async function collect(path: string, files: Record<string, PageFile>): Promise<void> {
  if (Object.hasOwn(files, path)) return
  const file = fileOf(path, await read(path))
  files[path] = file
  for (const imported of importsOf(path, file)) await collect(imported, files)
}

function fileOf(path: string, source: string): PageFile {
  if (path.endsWith('.css')) return { type: 'text/css', text: source }
  // Types are replaced by blanks, which serve no purpose at the ends of lines.
  const text = stripTypeScriptTypes(source).replaceAll(/[^\S\n]+$/gm, '')
  return { type: 'text/javascript', text }
}

function versionOf(content: unknown): string {
  return createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 16)
}

/**
 * The HTML with the URLs at which its files are served. It also lists every module, so that browsers need not discover
 * them one after the other.
 */
function withAddresses(html: string, base: string, files: PageFiles['files']): string {
  const modules = new Set<string>()
  const visit = (path: string) => {
    const file = files[path]!
    if (modules.has(path) || file.type !== 'text/javascript') return
    modules.add(path)
    for (const imported of importsOf(path, file)) visit(imported)
  }
  for (const path of loadedBy(html)) visit(path)
  const preloads = Array.from(
    modules,
    (path) => `    <link rel="modulepreload" href="${base}/${path}" />\n`,
  )
  return html
    .replaceAll(relativeAddress, `${base}/${folder}/$1`)
    .replace('  </head>', () => `${preloads.join('')}  </head>`)
}

function read(...path: string[]): Promise<string> {
  return readFile(new URL(posix.join(...path), root), 'utf8')
}
