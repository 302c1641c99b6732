/** Where annotators differ, as questions that one key answers. Pure. */
import type { Compared, Lineage, WaitingFigure } from '../api/types'

export interface Question {
  id: string
  kind: 'single' | 'lineage' | 'assertion'
  /** One tag, or two that exclude each other as a rule: the ancestor first. */
  tags: Compared[]
}

/** What to keep and what to drop, by key. */
export interface Answer {
  keep: string[]
  drop: string[]
}

/** The questions, related tags together, in the order of the tags. */
export function questions(tags: readonly Compared[], lineage: readonly Lineage[]): Question[] {
  const differ = tags.filter((one) => !one.agreed)
  const taken = new Set<string>()
  const found: Question[] = []
  for (const one of differ) {
    if (taken.has(one.key)) continue
    const other = differ.find((known) => known.key !== one.key && !taken.has(known.key) && apart(one, known) && related(one, known, lineage))
    if (!other) {
      found.push({ id: one.key, kind: 'single', tags: [one] })
      continue
    }
    taken.add(one.key)
    taken.add(other.key)
    const kind = one.tag.curie === other.tag.curie ? 'assertion' : 'lineage'
    const pair = kind === 'lineage' && !above(one, other, lineage) ? [other, one] : [one, other]
    found.push({ id: pair.map((tag) => tag.key).join(' '), kind, tags: pair })
  }
  return found
}

/** As one of the annotators has it. */
export function as(question: Question, annotator: string): Answer {
  const keep = question.tags.filter((one) => one.annotators.includes(annotator)).map((one) => one.key)
  return { keep, drop: question.tags.map((one) => one.key).filter((key) => !keep.includes(key)) }
}

export const all = (question: Question): Answer => ({ keep: question.tags.map((one) => one.key), drop: [] })
export const none = (question: Question): Answer => ({ keep: [], drop: question.tags.map((one) => one.key) })

export const answered = (question: Question): boolean => question.tags.every((one) => one.kept !== null)

/** The tags once an answer is in, before the server has said so. */
export const applied = (tags: readonly Compared[], answer: Answer): Compared[] =>
  tags.map((one) =>
    answer.keep.includes(one.key) ? { ...one, kept: true } : answer.drop.includes(one.key) ? { ...one, kept: false } : one,
  )

/** Where a figure comes from, as far as anything says so. */
export const placeOf = ({ figure: { article } }: Pick<WaitingFigure, 'figure'>): string => article.title || article.doi || article.collection || ''

/** Nobody has both: whoever has both meant both. */
const apart = (one: Compared, other: Compared): boolean => !one.annotators.some((who) => other.annotators.includes(who))

const above = (one: Compared, other: Compared, lineage: readonly Lineage[]): boolean =>
  lineage.some((pair) => pair.ancestor === one.tag.curie && pair.descendant === other.tag.curie)

function related(one: Compared, other: Compared, lineage: readonly Lineage[]): boolean {
  if (!one.tag.curie || !other.tag.curie) return false
  return one.tag.curie === other.tag.curie || above(one, other, lineage) || above(other, one, lineage)
}
