/** An item of this origin's storage in the browser, which may be disabled. */
export function readItem(name: string): string | undefined {
  try {
    return localStorage.getItem(name) ?? undefined
  } catch {
    return undefined
  }
}

/** @returns whether it was written (or removed, when undefined) */
export function writeItem(name: string, value: string | undefined): boolean {
  try {
    if (value === undefined) localStorage.removeItem(name)
    else localStorage.setItem(name, value)
    return true
  } catch {
    return false
  }
}
