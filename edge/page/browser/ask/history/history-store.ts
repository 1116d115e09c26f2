import type { HistoryEntry } from './record.ts'

/** Entries that are kept: a few megabytes, including thumbnails. */
const maxEntries = 100

export interface HistoryStore {
  /** The newest first. */
  readonly list: () => Promise<readonly HistoryEntry[]>
  readonly add: (entry: HistoryEntry) => Promise<void>
  readonly remove: (id: string) => Promise<void>
  readonly clear: () => Promise<void>
}

const storeName = 'questions'

/** The history in this browser's database, or in memory where there is none. */
export async function openHistory(): Promise<HistoryStore> {
  try {
    return databaseHistory(await openDatabase())
  } catch {
    return memoryHistory()
  }
}

function openDatabase(): Promise<IDBDatabase> {
  const request = indexedDB.open('describe', 1)
  request.addEventListener('upgradeneeded', () => {
    request.result.createObjectStore(storeName, { keyPath: 'id' }).createIndex('at', 'at')
  })
  return resultOf(request)
}

function databaseHistory(database: IDBDatabase): HistoryStore {
  const list = async () => {
    const store = database.transaction(storeName, 'readonly').objectStore(storeName)
    const entries = (await resultOf(store.index('at').getAll())) as HistoryEntry[]
    return entries.toReversed()
  }
  const change = (make: (store: IDBObjectStore) => void) => {
    const transaction = database.transaction(storeName, 'readwrite')
    make(transaction.objectStore(storeName))
    return committed(transaction)
  }
  const remove = (id: string) => change((store) => store.delete(id))
  return {
    list,
    remove,
    async add(entry) {
      await change((store) => store.put(entry))
      for (const { id } of (await list()).slice(maxEntries)) await remove(id)
    },
    clear: () => change((store) => store.clear()),
  }
}

function memoryHistory(): HistoryStore {
  let entries: readonly HistoryEntry[] = []
  return {
    list: async () => entries,
    add: async (entry) => void (entries = [entry, ...entries].slice(0, maxEntries)),
    remove: async (id) => void (entries = entries.filter((entry) => entry.id !== id)),
    clear: async () => void (entries = []),
  }
}

function resultOf<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('error', () => reject(request.error ?? new Error('No database')))
  })
}

/** Resolves when the change is stored: even after its request succeeded there may be no space left for it. */
function committed(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.addEventListener('complete', () => resolve())
    transaction.addEventListener('abort', () =>
      reject(transaction.error ?? new Error('No database')),
    )
  })
}
