/** Certificates are checked as browsers do. Without this, workerd refuses `https:` altogether. */
const tlsOptions = { trustBrowserCas: true }

/** Where the Worker itself may call: as in a deployment, an image URL never leads to this machine or its network. */
export const publicInternet = { network: { allow: ['public'], tlsOptions } }

/** Where spans may go: the collector belongs to the operator, and is usually on this machine or its network. */
export const collectorNetwork = { network: { allow: ['local', 'private', 'public'], tlsOptions } }
