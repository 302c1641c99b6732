/** Concepts that this person adds in a project, the recent and frequent first, in this browser. */
import type { Axis, Concept } from '../api/types'
import { session } from './session.svelte'

export interface Used {
  concept: Concept
  axis: Axis
  times: number
  last: number
}

const MOST = 60

const place = (): string => `mitagger.used.${session.who?.person ?? ''}.${session.id}`

export function used(): Used[] {
  try {
    return JSON.parse(localStorage.getItem(place()) ?? '[]') as Used[]
  } catch {
    return []
  }
}

export function use(concept: Concept, axis: Axis): void {
  const all = used()
  const before = all.find((one) => one.concept.curie === concept.curie && one.axis === axis)
  const now: Used = { concept, axis, times: (before?.times ?? 0) + 1, last: Date.now() }
  const rest = all.filter((one) => one !== before)
  localStorage.setItem(place(), JSON.stringify([now, ...rest].slice(0, MOST)))
}

const DAY = 86_400_000

/** Each use counts, and counts less as it grows old: halved every week. */
export function ranked(axis: Axis | null, at = Date.now()): Used[] {
  const weight = (one: Used): number => one.times * 0.5 ** ((at - one.last) / (7 * DAY))
  return used()
    .filter((one) => axis === null || one.axis === axis)
    .toSorted((a, b) => weight(b) - weight(a))
}
