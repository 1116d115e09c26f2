/** The pages that the edge shows to people, by the path where they are. */
export type PagePath = '/' | '/docs'

export interface PageFile {
  readonly type: 'text/javascript' | 'text/css'
  readonly text: string
}

/** The pages and what they load. Browsers run the modules as they are: no bundle, types taken out. */
export interface PageFiles {
  /** Changes with any of the files; part of the addresses of what the pages load. */
  readonly version: string
  readonly pages: Readonly<Record<PagePath, string>>
  /** By path in this project, so that modules find each other by the imports of their sources. */
  readonly files: Readonly<Record<string, PageFile>>
}
