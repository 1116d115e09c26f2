/** Limits both sides enforce. Each is defined once, here, with its unit and its reason. */

const MiB = 1024 * 1024

/**
 * Bytes of a JSON or URL-form body: a full 131,072-token prompt is about 0.6 MB of English, which JSON escapes may
 * double.
 */
export const maxJsonBytes = 2 * MiB

/** Bytes of one multipart body: Cloudflare's own ceiling on the Free and Pro plans is 100 MB. */
export const maxUploadBytes = 100 * MiB

/** Bytes of one uploaded image file: a 24-megapixel camera JPEG is 10-15 MB. */
export const maxImageBytes = 20 * MiB

/** Bytes of one image fetched from a URL: pictures on the web are far smaller than camera files. */
export const maxFetchedImageBytes = 10 * MiB

/** Bytes of all fetched images of one request, which are held until they are sent on: a quarter of a Worker's 128 MB. */
export const maxFetchedTotalBytes = 32 * MiB

/** Images in one request: 16 at the full 1,024 tokens each are 16k tokens of context. */
export const maxImages = 16

/** Tokens of an image that is looked at in low detail: a quarter of the most, and half as fine in both directions. */
export const maxLowDetailTokens = 256

/** Messages of one conversation, and parts of one message: far more than people write, and quickly looked through. */
export const maxTurns = 2_048
export const maxParts = 256

/** Parts of all messages together: four for each message, as it is checked one by one. */
export const maxPartsInAll = 8_192

/** Characters of `prompt` and of `system_prompt`: no 131,072-token context holds more of any language. */
export const maxPromptChars = 600_000

/** Pixels of one decoded image: 100 MP are 300 MB of RGB, the most one decoder thread may hold. */
export const maxImagePixels = 100_000_000

/**
 * Text fields of one form: the API has about twenty, a few of which may be repeated; the rest is room for unknown
 * ones.
 */
export const maxFormFields = 64

/** Bytes of all text fields of a multipart form together: both prompts at their limit, at four bytes per character. */
export const maxFormFieldBytes = 5 * MiB

/** The most bytes the edge holds of one request: its fields, and all its fetched images. */
export const largestHeldBytes = maxFormFieldBytes + maxFetchedTotalBytes

/** Milliseconds between heartbeats of an idle stream: below the 30 s after which proxies commonly cut a connection. */
export const heartbeatMs = 10_000

/** Milliseconds that one request may take in total, unless configured: 4,000 tokens at a slow 9 tokens/s take 445 s. */
export const defaultDeadlineMs = 600_000

/** The largest configurable deadline, in milliseconds: a day. */
export const maxDeadlineMs = 86_400_000

/** Characters of `x-describe-backend-hint`: two UUIDs and some room. */
export const maxBackendHintChars = 128

/** Answers to one prompt: each occupies the memory of a slot while it runs. */
export const maxChoices = 8

/** Stop strings of one request, and characters of each: every character of the answer is compared with all of them. */
export const maxStops = 16
export const maxStopChars = 256

/** Alternatives reported per token: OpenAI's ceiling. */
export const maxTopLogprobs = 20

/**
 * Log probabilities reported in one request, `n` times `max_tokens` times (1 + `top_logprobs`): each is about 60
 * bytes of JSON, 12 MiB in all. A complete answer repeats the first of its choices, which with two choices makes 18
 * MiB at most, out of a Worker's 128 MB.
 */
export const maxLogprobs = 200_000

/** Token ids with a bias in one request: OpenAI allows 300, but a list of banned words may need more. */
export const maxLogitBiases = 1_024

/** Characters of `Idempotency-Key`: the draft standard suggests a UUID; other services allow up to 255. */
export const maxIdempotencyKeyChars = 255

/** Bytes of a body with an `Idempotency-Key`: it is held whole and copied once, within a Worker's 128 MB. */
export const maxIdempotentBodyBytes = 16 * MiB

/** Characters of `response_format` in a form: a schema of the most characters, escaped and with some space. */
export const maxFormatChars = MiB
