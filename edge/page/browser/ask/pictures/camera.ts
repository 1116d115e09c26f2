import { byId } from '../../dom.ts'

/**
 * Asks for a photo: with a live camera view if the page may use the camera, otherwise with the device's own camera app
 * or file dialog.
 */
export async function choosePhoto(): Promise<File | undefined> {
  const video = byId('camera-view', HTMLVideoElement)
  const stream = await openCamera()
  if (stream === undefined) {
    byId('picture-photo', HTMLInputElement).click()
    return undefined
  }
  try {
    video.srcObject = stream
    await video.play()
    return (await isTaken()) ? await photoOf(video) : undefined
  } finally {
    for (const track of stream.getTracks()) track.stop()
    video.srcObject = null
  }
}

async function openCamera(): Promise<MediaStream | undefined> {
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } })
  } catch {
    // No camera, no permission, or a page without TLS, where the API itself is missing.
    return undefined
  }
}

async function isTaken(): Promise<boolean> {
  const dialog = byId('camera', HTMLDialogElement)
  dialog.returnValue = ''
  dialog.showModal()
  await new Promise((resolve) => dialog.addEventListener('close', resolve, { once: true }))
  return dialog.returnValue === 'take'
}

async function photoOf(video: HTMLVideoElement): Promise<File> {
  const canvas = document.createElement('canvas')
  canvas.width = video.videoWidth
  canvas.height = video.videoHeight
  canvas.getContext('2d')!.drawImage(video, 0, 0)
  const blob = await new Promise<Blob | null>((resolve) =>
    canvas.toBlob(resolve, 'image/jpeg', 0.92),
  )
  return new File([blob!], 'photo.jpg', { type: 'image/jpeg' })
}
