/** What waits for somebody: the next assignments, fetched before they are wanted. */
import { address, call, get } from '../api/client'
import type { Assignment, AssignmentPage, AssignmentSummary, Project, State } from '../api/types'
import { router } from './router.svelte'
import { session, signedIn } from './session.svelte'

export type Relation = 'own' | 'review'

/** States that wait for this person, the most urgent first. */
export const WAITING: Record<Relation, readonly State[]> = { own: ['returned', 'open'], review: ['submitted'] }

const AHEAD = 20
const MOST = 10 // projects that are asked

export const list = (relation: Relation, state: State, cursor: string | null = null, limit = 50): Promise<AssignmentPage> =>
  signedIn(() => get<AssignmentPage>(address('/api/v1/assignments', { relation, state, cursor, limit })))

/** How many wait in other projects of theirs, where any do. */
export async function elsewhere(relation: Relation): Promise<{ project: Project; waiting: number }[]> {
  const role = relation === 'own' ? 'annotator' : 'reviewer'
  const others = session.projects.filter((one) => one.id !== session.id && !one.archived && one.roles.includes(role)).slice(0, MOST)
  const found = await Promise.all(
    others.map(async (project) => {
      const asked = address('/api/v1/assignments', { relation, project: project.id, limit: 1 })
      const { counts } = await signedIn(() => get<AssignmentPage>(asked))
      return { project, waiting: WAITING[relation].reduce((sum, state) => sum + (counts[state] ?? 0), 0) }
    }),
  )
  return found.filter(({ waiting }) => waiting)
}

/** One from the project's pool, for who has nothing left; null: the pool is empty, or not for them. */
export async function pulled(): Promise<string | null> {
  const answer = await signedIn(() => call<Assignment | undefined>('POST', '/api/v1/assignments/next'))
  return answer.body?.id ?? null
}

const of = (relation: Relation): string => `${relation} ${session.id}`

class Ahead {
  #queue: AssignmentSummary[] = []
  /** Whose: a relation, in a project. */
  #of = ''
  #fetched = new Map<string, Promise<Assignment>>()

  /** The assignment after `id` that waits; null: none does. */
  async next(relation: Relation, id: string | null): Promise<string | null> {
    if (this.#of !== of(relation) || this.#queue.length < 2) await this.#fill(relation)
    let rest = this.#queue.filter((one) => one.id !== id)
    if (!rest.length && this.#queue.length) {
      await this.#fill(relation)
      rest = this.#queue.filter((one) => one.id !== id)
    }
    const passed = this.#queue.findIndex((one) => one.id === id)
    const next = this.#queue.slice(passed + 1).find((one) => one.id !== id) ?? rest[0]
    return next?.id ?? null
  }

  /** No longer waits. */
  done(id: string): void {
    this.#queue = this.#queue.filter((one) => one.id !== id)
  }

  /** Fetches what comes after `id`, with its picture, so that it is there when it is asked for. */
  async prefetch(relation: Relation, id: string): Promise<void> {
    const next = await this.next(relation, id)
    if (next === null || this.#fetched.has(next)) return
    const fetched = get<Assignment>(`/api/v1/assignments/${encodeURIComponent(next)}`)
    this.#fetched.set(next, fetched)
    try {
      const { figure } = await fetched
      if (figure.display_url) new Image().src = figure.display_url
    } catch {
      // It is fetched again when it is opened, and fails there where somebody sees it.
      this.#fetched.delete(next)
    }
  }

  /** The assignment as it was fetched ahead, once; else from the server. */
  async take(id: string): Promise<Assignment> {
    const fetched = this.#fetched.get(id)
    this.#fetched.delete(id)
    const found =
      (await fetched?.catch(() => null)) ?? (await signedIn(() => get<Assignment>(`/api/v1/assignments/${encodeURIComponent(id)}`)))
    // What is around it (keys of the project, what comes next) is its own project's, whatever the address said.
    if (found.project !== session.id && session.projects.some(({ id }) => id === found.project))
      session.enter(found.project, router.path, { replace: true })
    return found
  }

  async #fill(relation: Relation): Promise<void> {
    const pages = await Promise.all(WAITING[relation].map((state) => list(relation, state, null, AHEAD)))
    this.#queue = pages.flatMap((page) => page.items).filter((one) => one.figure)
    this.#of = of(relation)
  }
}

export const ahead = new Ahead()
