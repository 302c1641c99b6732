/** A legend cut into pieces at the ends of the mentions, so that overlapping ones can be shown. */
import type { Recommendation } from '../api/types'
import { Offsets } from './offsets'

export interface Piece {
  text: string
  /** Ids of the recommendations that mention it, the most specific (shortest) first. */
  ids: string[]
}

export function pieces(legend: string, recommendations: readonly Recommendation[]): Piece[] {
  const offsets = new Offsets(legend)
  const mentions = recommendations.flatMap((one) =>
    (one.spans ?? []).map((span) => ({ id: one.id, start: offsets.toUnits(span.start), end: offsets.toUnits(span.end) })),
  )
  const cuts = new Set([0, legend.length])
  for (const { start, end } of mentions) cuts.add(start).add(end)
  const ends = [...cuts].sort((a, b) => a - b)
  const sorted = mentions.filter(({ start, end }) => start < end).sort((a, b) => a.start - b.start)
  const found: Piece[] = []
  let next = 0
  let open: typeof mentions = []
  for (let i = 0; i + 1 < ends.length; i++) {
    const [from, to] = [ends[i] as number, ends[i + 1] as number]
    for (let mention = sorted[next]; mention && mention.start <= from; mention = sorted[++next]) open.push(mention)
    open = open.filter(({ end }) => end > from)
    const ids = open.toSorted((a, b) => a.end - a.start - (b.end - b.start)).map(({ id }) => id)
    found.push({ text: legend.slice(from, to), ids: [...new Set(ids)] })
  }
  return found
}
