/** The public routes, mounted by the edge (which forwards) and by the backend (which answers). */
export const routes = {
  health: { method: 'GET', path: '/health', needsKey: false },
  text: { method: 'POST', path: '/generate/text', needsKey: true },
  image: { method: 'POST', path: '/generate/image', needsKey: true },
  imageUrl: { method: 'POST', path: '/generate/image_url', needsKey: true },
} as const

export type RouteName = keyof typeof routes
