/** The items of a setting that is a list, separated by commas; empty ones are left out. */
export function listItems(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')
}
