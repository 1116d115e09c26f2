/** Limits on schemas and on what is compiled from them. Each is defined once, here, with its unit and reason. */

/** Characters of a schema as JSON: 5,000 properties with descriptions. */
export const maxSchemaChars = 256 * 1024

/** Nesting depth of schemas: tools generate 10 to 20. References may go deeper, even in circles. */
export const maxSchemaDepth = 64

/** Values of all `enum` together: the largest closed vocabularies for pictures have 10,000 labels. */
export const maxEnumValues = 10_000

/** Properties of all objects together. */
export const maxProperties = 5_000

/** Alternatives of one value after flattening nested unions, where all constants count as one. */
export const maxAlternatives = 64

/** Alternatives of all values together: unions that refer to each other multiply. */
export const maxAlternativesInAll = 50_000

/** Items, characters or properties that may be required: no context holds a longer answer. */
export const maxDemanded = 131_072

/** Characters of a pattern. */
export const maxPatternChars = 1_000

/** Different patterns and formats of a schema: one with `\p{L}` takes 15 ms. */
export const maxPatterns = 32

/** Places at which the patterns of a schema, with their repetitions written out, read a character. */
export const maxPatternPositions = 4_000

/** States of all patterns of a schema once they are deterministic: `(a|b)*a(a|b){14}` has more. */
export const maxPatternStates = 2_000

/** Different `\p{...}` of all patterns of a schema: a new one takes 20 ms. */
export const maxCharacterProperties = 16

/** Different ranges of numbers: one takes 1 ms. */
export const maxNumberRanges = 256

/** Branches of `oneOf`: each is compared with each. */
export const maxOneOf = 256

/** States times character classes of a pattern with its lengths: 4 bytes each. */
export const maxPatternCells = 500_000

/** For all patterns of a schema together. */
export const maxPatternCellsInAll = 1_000_000

/** Nesting depth of "any JSON value". */
export const maxFreeDepth = 32

/**
 * Bytes of an ending that are cut into tokens to see whether it fits into those left: 3 ms, for each token of an answer. Of a
 * longer one, each byte counts as a token.
 */
export const maxEndingBytes = 8_192

/** Steps from all unions to their alternatives, through unions and references within: 0.2 s. */
export const maxUnionSteps = 2_000_000

/**
 * Milliseconds after which the thread that compiles a schema is ended: because of the limits above it takes less than
 * one second, except on an overloaded machine.
 */
export const maxCompileMs = 5_000

/**
 * Alternatives that are followed at the same time. Further ones are dropped, which restricts answers but never gets
 * them stuck.
 */
export const maxHeads = 64
export const maxFrames = 64

/** Bytes of cached masks of one grammar. */
export const maxMaskBytes = 8 * 1024 * 1024

/** Bytes of merged tokens of one grammar: a union of 32 patterns needs all of them for each of its tokens. */
export const maxPatternTokenBytes = 32 * 1024 * 1024

/** Bytes of all cached grammars. */
export const maxGrammarBytes = 64 * 1024 * 1024

/** Compiled schemas that are cached for the next request with the same one. */
export const maxKeptSchemas = 64
