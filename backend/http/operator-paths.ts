/** Path of the operators' view, which is not part of the public API. */
export const statusPath = '/status'

/** Path of the metrics, for everyone who has a client certificate. */
export const metricsPath = '/metrics'
