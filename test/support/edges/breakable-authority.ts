import { readFile } from 'node:fs/promises'

export const authorityName = 'authority'

/** The real key authority with a switch that makes it unreachable. */
const script = `
import { KeyAuthority as RealAuthority } from './worker.js'
let broken = false
export class KeyAuthority extends RealAuthority {
  sync(...question) {
    if (broken) throw new Error('The authority is out of reach')
    return super.sync(...question)
  }
}
export default {
  fetch(request) {
    broken = request.url.endsWith('/break')
    return new Response()
  },
}
`

/**
 * A Worker that holds the key authority; `/break` and `/mend` operate its switch.
 * @param bundle path of the Worker
 * @param copies id of the KV namespace
 */
export async function breakableAuthority(bundle: string, copies: string) {
  return {
    name: authorityName,
    modules: [
      { type: 'ESModule' as const, path: 'authority.js', contents: script },
      { type: 'ESModule' as const, path: 'worker.js', contents: await readFile(bundle, 'utf8') },
    ],
    kvNamespaces: { KEYS: copies },
    durableObjects: { KEY_AUTHORITY: { className: 'KeyAuthority', useSQLite: true } },
    unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
  }
}
