/** The figures that match the filters in the address, fetched page by page as somebody goes on.

Without filters that need the search index, they come from where figures are kept, and what was made of them from the
search. Both ways the newest first, any number of them. */
import { address, get, Problem } from '../api/client'
import type { Found, FoundFigure, Page, StoredFigure } from '../api/types'
import { signedIn } from './session.svelte'

export interface Shown {
  id: string
  label: string
  where: string
  text: string
  thumbnail: string | null
  /** null: not known, as of one that has just come in. */
  status: FoundFigure['status'] | null
  tags: FoundFigure['tags']
}

/** As they stand in the address. `concept` is a CURIE: it and everything below it. */
export interface Filters {
  q: string
  axis: string[]
  tag: string[]
  concept: string
  status: string[]
  person: string
  article: string
  since: string
  until: string
}

const PAGE = 100
const SHOWN = 240 // characters

export function filtersOf(query: URLSearchParams): Filters {
  const one = (name: string): string => query.get(name) ?? ''
  return {
    q: one('q'),
    axis: query.getAll('axis'),
    tag: query.getAll('tag'),
    concept: one('concept'),
    status: query.getAll('status'),
    person: one('person'),
    article: one('article'),
    since: one('since'),
    until: one('until'),
  }
}

export const isEmpty = (filters: Filters): boolean => Object.values(filters).every((value) => !value.length)

/** The day after, for `until` names the last day that counts. */
function after(day: string): string {
  if (!day) return ''
  const next = new Date(`${day}T00:00:00Z`)
  next.setUTCDate(next.getUTCDate() + 1)
  return next.toISOString().slice(0, 10)
}

export class Collection {
  /** Grows in place: a list of 100,000 is not copied for each page. `count` says that it did. */
  readonly items: Shown[] = []
  count = $state(0)
  /** Of all that match; null: not known. */
  total = $state<number | null>(null)
  facets = $state.raw<Found['facets']>({})
  problem = $state<Problem | null>(null)
  busy = $state(true)
  /** Nothing comes after what is there. */
  ended = $state(false)
  /** The concept has more below it than a search takes. */
  broad = $state(false)
  #cursor: string | null = null
  /** Why what was made of the figures is not known. */
  #partly: Problem | null = null
  #tags: string[] | null = null
  #stopped = false
  readonly #filters: Filters

  constructor(filters: Filters) {
    this.#filters = filters
    void this.#first()
  }

  stop(): void {
    this.#stopped = true
  }

  /** Fetches the next page, unless one is on its way. */
  async more(): Promise<void> {
    if (this.busy || this.ended || this.#stopped) return
    this.busy = true
    await this.#next()
  }

  /** Takes figures out that are gone. */
  drop(ids: ReadonlySet<string>): void {
    const kept = this.items.filter((one) => !ids.has(one.id))
    this.items.splice(0, this.items.length, ...kept)
    this.count = kept.length
    if (this.total !== null) this.total -= ids.size
  }

  get #searches(): boolean {
    const { q, axis, tag, concept, status, person } = this.#filters
    return Boolean(q || axis.length || tag.length || concept || status.length || person)
  }

  async #first(): Promise<void> {
    await this.#next()
    if (this.#searches || this.problem || this.#stopped) return
    try {
      const { total, facets } = await signedIn(() => get<Found>(this.#search(1)))
      this.total = total
      this.facets = facets
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      this.problem = error
    }
  }

  async #next(): Promise<void> {
    try {
      const page = await (this.#searches ? this.#found() : this.#stored())
      if (this.#stopped) return
      for (const one of page) this.items.push(one)
      this.count = this.items.length
      this.problem = this.#partly
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      this.problem = error
    } finally {
      this.busy = false
    }
  }

  async #stored(): Promise<Shown[]> {
    const { article, since, until } = this.#filters
    const asked = { article, since, until: after(until), limit: PAGE, cursor: this.#cursor }
    const page = await signedIn(() => get<Page<StoredFigure>>(address('/api/v1/figures', asked)))
    this.#cursor = page.next ?? null
    this.ended = this.#cursor === null
    const known = await this.#made(page.items.map((one) => one.id))
    return page.items.map((one) => ({
      id: one.id,
      label: one.label,
      where: one.article.title || one.article.doi || one.article.collection || '',
      // Two lines of it show; the rest would be laid out for nobody.
      text: one.legend.length > SHOWN ? `${one.legend.slice(0, SHOWN)}…` : one.legend,
      thumbnail: one.thumbnail_url,
      status: known.get(one.id)?.status ?? null,
      tags: known.get(one.id)?.tags ?? [],
    }))
  }

  /** What was made of figures, which is the search's to tell: without it they are there all the same. */
  async #made(ids: string[]): Promise<ReadonlyMap<string, FoundFigure>> {
    this.#partly = null
    if (!ids.length) return new Map()
    try {
      const { items } = await signedIn(() => get<Found>(address('/api/v1/search', { figure: ids, limit: PAGE, facets: 'false' })))
      return new Map(items.map((one) => [one.figure, one]))
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      this.#partly = error
      return new Map()
    }
  }

  async #found(): Promise<Shown[]> {
    if (this.#tags === null) this.#tags = await this.#wanted()
    const page = await signedIn(() => get<Found>(this.#search(PAGE)))
    if (this.#cursor === null) {
      this.total = page.total
      this.facets = page.facets
    }
    this.#cursor = page.items.at(-1)?.figure ?? this.#cursor
    // Of a later page, the total is of what is left.
    this.ended = page.total <= page.items.length || !page.items.length
    const ids = page.items.map((one) => one.figure)
    // Pictures are kept elsewhere than words; a figure that was erased meanwhile has none.
    const kept = ids.length ? await signedIn(() => get<Page<StoredFigure>>(address('/api/v1/figures', { id: ids }))) : { items: [] }
    const pictures = new Map(kept.items.map((one) => [one.id, one.thumbnail_url]))
    return page.items.map((one) => ({
      id: one.figure,
      label: one.label,
      where: one.title || one.doi || one.collection || '',
      text: one.snippet,
      thumbnail: pictures.get(one.figure) ?? null,
      status: one.status,
      tags: one.tags,
    }))
  }

  #search(limit: number): string {
    const { q, axis, status, person, article, since, until } = this.#filters
    return address('/api/v1/search', {
      q, axis, status, person, article, since, until: after(until), tag: this.#tags ?? [], limit,
      ...(this.#searches ? { order: 'newest', before: this.#cursor, facets: this.#cursor === null ? 'true' : 'false' } : {}),
    })
  }

  async #wanted(): Promise<string[]> {
    const { tag, concept } = this.#filters
    if (!concept) return tag
    const path = `/api/v1/concepts/${encodeURIComponent(concept)}/descendants`
    const below = await signedIn(() => get<{ items: string[]; more: boolean }>(path))
    this.broad = below.more
    return [...tag, concept, ...below.items].slice(0, 1001)
  }
}
