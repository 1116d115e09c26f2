/** Copies an element's text, and confirms that on the button. */
export async function copyFrom(source: HTMLElement, button: HTMLButtonElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(source.textContent)
    button.textContent = 'Copied'
  } catch {
    // Not allowed, or not available: pages without TLS have no clipboard.
    getSelection()?.selectAllChildren(source)
    button.textContent = 'Selected: press Ctrl C'
  }
}
