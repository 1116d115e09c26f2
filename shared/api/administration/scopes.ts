/** What an API key may be used for; each route requires one. */
export const scopes = ['text', 'image', 'image_url', 'admin'] as const
export type Scope = (typeof scopes)[number]
