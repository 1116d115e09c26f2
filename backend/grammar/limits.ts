/** Limits of schemas and of what becomes of them. Each stands here once, with its unit and its reason. */

/** Characters of a schema as JSON: 5,000 properties with descriptions. */
export const maxSchemaChars = 256 * 1024

/** Schemas within each other: tools write 10 to 20. References may go on beyond, in circles, too. */
export const maxSchemaDepth = 64

/** Values of all `enum` together: 10,000 labels are the largest closed vocabularies of pictures. */
export const maxEnumValues = 10_000

/** Properties of all objects together. */
export const maxProperties = 5_000

/** Alternatives of one value once unions within unions are flattened, all constants counting as one. */
export const maxAlternatives = 64

/** Alternatives of all values together: unions that refer to each other multiply. */
export const maxAlternativesInAll = 50_000

/** Items, characters or properties that may be demanded: no context holds an answer with more. */
export const maxDemanded = 131_072

/** Characters of a pattern. */
export const maxPatternChars = 1_000

/** Patterns and formats of a schema that differ: one of `\p{L}` takes 15 ms. */
export const maxPatterns = 32

/** Nodes that are made for all patterns of a schema, before they are made few: `(a|b)*a(a|b){14}` stops at the second. */
export const maxNfaNodes = 4_000
export const maxDfaNodes = 2_000

/** Ranges of numbers that differ: one takes 1 ms. */
export const maxNumberRanges = 256

/** Branches of `oneOf`: each is compared with each. */
export const maxOneOf = 256

/** States times classes of characters of a pattern with its lengths: 4 bytes each. */
export const maxPatternCells = 500_000

/** Of all patterns of a schema together. */
export const maxPatternCellsInAll = 1_000_000

/** Values within each other in "any JSON value". */
export const maxFreeDepth = 32

/** Milliseconds until the thread that compiles a schema is ended: the limits above end it within one, but for a machine that is overloaded. */
export const maxCompileMs = 5_000

/** Ways to go on that are followed at once; further ones are dropped, which narrows answers and never strands them. */
export const maxHeads = 64
export const maxFrames = 64

/** Bytes of kept masks of one grammar, and of all grammars that are kept. */
export const maxMaskBytes = 8 * 1024 * 1024
export const maxGrammarBytes = 64 * 1024 * 1024

/** Compiled schemas that are kept for the next request with the same one. */
export const maxKeptSchemas = 64
