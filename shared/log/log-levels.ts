/** What `LOG_LEVEL` may be: the least important lines that are kept, or none. */
export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const

export type LogLevel = (typeof logLevels)[number]
