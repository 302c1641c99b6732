/** Which of many cells of equal size are in sight. Pure. */

export interface Sight {
  columns: number
  /** First cell and the one after the last, some rows beyond what is seen included. */
  from: number
  to: number
}

/** Rows made beyond what is seen, on each side. */
const BEYOND = 3

/** `width`, `height`, `top` of the window and `cell` in px; cells are at least `cell.width` wide. */
export function inSight(
  count: number,
  view: { width: number; height: number; top: number },
  cell: { width: number; height: number },
): Sight {
  const columns = Math.max(1, Math.floor(view.width / cell.width))
  const first = Math.max(0, Math.floor(view.top / cell.height) - BEYOND)
  const rows = Math.ceil(view.height / cell.height) + 2 * BEYOND
  return { columns, from: Math.min(count, first * columns), to: Math.min(count, (first + rows) * columns) }
}

/** Where a key leads from a cell; null: it is no key that moves. */
export function moved(key: string, at: number, count: number, columns: number, page: number): number | null {
  const by: Record<string, number> = {
    ArrowRight: 1,
    ArrowLeft: -1,
    ArrowDown: columns,
    ArrowUp: -columns,
    PageDown: page * columns,
    PageUp: -page * columns,
    Home: -count,
    End: count,
  }
  const step = by[key]
  if (step === undefined) return null
  const to = at + step
  // Up and down stay in their column where there is no row to go to.
  if ((key === 'ArrowDown' || key === 'ArrowUp') && (to < 0 || to >= count)) return at
  return Math.max(0, Math.min(count - 1, to))
}
