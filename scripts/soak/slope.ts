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

/**
 * How `y` depends on `x` when both also depend on `beside`: the coefficient of x in the least squares fit of y to both
 * (by the theorem of Frisch, Waugh and Lovell, the slope of what remains of y over what remains of x).
 */
export function slopeBeside(
  points: readonly { readonly x: number; readonly y: number; readonly beside: number }[],
): number {
  const remainder = (read: (point: (typeof points)[number]) => number) => {
    const rise = slope(points.map((point) => ({ x: point.beside, y: read(point) })))
    return points.map((point) => read(point) - rise * point.beside)
  }
  const y = remainder((point) => point.y)
  return slope(remainder(({ x }) => x).map((x, index) => ({ x, y: y[index]! })))
}
