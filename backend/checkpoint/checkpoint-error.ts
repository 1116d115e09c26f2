/** A checkpoint that cannot be used. The message is for the operator: it names the file and the tensor or field. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError'
}
