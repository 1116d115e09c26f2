/** The fields and files of a multipart body. */
export function parseForm(
  body: Uint8Array,
  contentType: string | null | undefined,
): Promise<FormData> {
  const headers = { 'content-type': contentType ?? '' }
  // oxlint-disable-next-line typescript/no-deprecated -- advised against for large bodies; these are small
  return new Response(new Uint8Array(body), { headers }).formData()
}
