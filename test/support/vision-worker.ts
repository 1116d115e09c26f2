/** What `loadModel` runs the vision tower in; vitest's global setup builds it. */
export const visionWorker = new URL('../../dist/backend/vision-worker.js', import.meta.url)
