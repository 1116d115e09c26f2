/** Pixels of the longer side: sharp at the size of the list, and a few kilobytes in the history. */
const side = 240

/** A small copy as a data URL; undefined where this browser cannot read the file, which the server may. */
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

/** A picture to begin with: the coloured shapes that even the smallest model knows. */
export async function samplePicture(): Promise<File> {
  const canvas = document.createElement('canvas')
  canvas.width = 224
  canvas.height = 224
  const context = canvas.getContext('2d')!
  context.fillStyle = '#fff'
  context.fillRect(0, 0, 224, 224)
  context.fillStyle = '#00f'
  context.beginPath()
  context.arc(66, 66, 50, 0, 2 * Math.PI)
  context.fill()
  context.fillStyle = '#f00'
  context.beginPath()
  context.moveTo(158, 104)
  context.lineTo(212, 206)
  context.lineTo(104, 206)
  context.fill()
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'))
  return new File([blob!], 'sample.png', { type: 'image/png' })
}
