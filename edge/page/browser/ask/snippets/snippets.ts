import type { AskRequest } from '../question.ts'
import { curlSnippet } from './curl.ts'
import { pythonSnippet } from './python.ts'
import { typescriptSnippet } from './typescript.ts'

interface Language {
  readonly name: string
  /** What the program needs besides the key and the files. */
  readonly note: string
  readonly write: (request: AskRequest, origin: string) => string
}

/** A question as programs that ask it and print the answer. */
export const languages: readonly Language[] = [
  { name: 'curl', note: 'For any shell.', write: curlSnippet },
  {
    name: 'TypeScript',
    note: 'For Node 24: save it as ask.ts and run node ask.ts.',
    write: typescriptSnippet,
  },
  {
    name: 'Python',
    note: 'For Python 3 with requests: pip install requests.',
    write: pythonSnippet,
  },
]
