/** Values of `LOG_LEVEL`: the least important lines to keep, or none. */
export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const

export type LogLevel = (typeof logLevels)[number]
