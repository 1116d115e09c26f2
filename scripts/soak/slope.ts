/** Slope of the best-fitting straight line (least squares); 0 for fewer than two points. */
export function slope(points: readonly { readonly x: number; readonly y: number }[]): number {
  const mean = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / values.length
  const middle = { x: mean(points.map(({ x }) => x)), y: mean(points.map(({ y }) => y)) }
  let covariance = 0
  let variance = 0
  for (const { x, y } of points) {
    covariance += (x - middle.x) * (y - middle.y)
    variance += (x - middle.x) ** 2
  }
  return variance === 0 ? 0 : covariance / variance
}
