/** The web pages that the edge serves, by path. */
export type PagePath = '/' | '/docs'

export interface PageFile {
  readonly type: 'text/javascript' | 'text/css'
  readonly text: string
}

/** The pages and what they load. Browsers run the modules unbundled, with only their types stripped. */
export interface PageFiles {
  /** Changes with any of the files, and is part of the addresses of everything the pages load. */
  readonly version: string
  readonly pages: Readonly<Record<PagePath, string>>
  /** By path in this project, so that modules find each other by the imports of their sources. */
  readonly files: Readonly<Record<string, PageFile>>
}
