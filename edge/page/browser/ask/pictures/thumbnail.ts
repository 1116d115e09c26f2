/** Pixels of the longer side: sharp at the size of the list, and a few kilobytes in the history. */
const side = 240

/** A small copy as a data URL; undefined if this browser cannot read the file, although the server may be able to. */
export async function thumbnailOf(file: Blob): Promise<string | undefined> {
  try {
    const picture = await createImageBitmap(file)
    const scale = Math.min(1, side / Math.max(picture.width, picture.height))
    const canvas = document.createElement('canvas')
    canvas.width = Math.max(1, Math.round(picture.width * scale))
    canvas.height = Math.max(1, Math.round(picture.height * scale))
    const context = canvas.getContext('2d')!
    // JPEG has no transparency, and would show black.
    context.fillStyle = '#fff'
    context.fillRect(0, 0, canvas.width, canvas.height)
    context.drawImage(picture, 0, 0, canvas.width, canvas.height)
    picture.close()
    return canvas.toDataURL('image/jpeg', 0.8)
  } catch {
    return undefined
  }
}

/** A sample picture with the kind of coloured shapes that even the smallest model recognises. */
export async function samplePicture(): Promise<File> {
  const canvas = document.createElement('canvas')
  canvas.width = 640
  canvas.height = 480
  const context = canvas.getContext('2d')!
  context.fillStyle = '#fef7fd'
  context.fillRect(0, 0, canvas.width, canvas.height)
  context.fillStyle = '#2f4de0'
  context.beginPath()
  context.arc(97, 79, 66, 0, 2 * Math.PI)
  context.fill()
  context.fillStyle = '#e52b29'
  context.beginPath()
  context.moveTo(539, 334)
  context.lineTo(604, 457)
  context.lineTo(474, 457)
  context.fill()
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'))
  return new File([blob!], 'sample.png', { type: 'image/png' })
}
