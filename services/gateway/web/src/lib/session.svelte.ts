/** Who is signed in, and in which of their projects they are. A session that ends in mid-work asks for the password over
the page; nothing is lost. */
import { about, get, post, Problem, remove } from '../api/client'
import type { Project, Role, Session } from '../api/types'
import { router } from './router.svelte'

/** The project that is always there. */
export const DEFAULT_PROJECT = 'default'
const LAST = 'mitagger.project'

const theirs = async (): Promise<Project[]> => (await get<{ items: Project[] }>('/api/v1/projects')).items

class Signed {
  /** undefined: not known yet; null: nobody. */
  who = $state<Session | null | undefined>(undefined)
  /** The session ended while somebody worked: their page stays, the password is asked over it. */
  ended = $state(false)
  /** Those in which they have a role; administrators: all. */
  projects = $state.raw<Project[]>([])
  /** The project that the pages are about: the address says which, else it is the last one that is open, else the first. */
  id = $derived(router.project || this.#usual())
  /** null: the address names one in which they have no role. */
  project = $derived(this.projects.find((one) => one.id === this.id) ?? null)
  /** Where the API keeps what is of the project. */
  root = $derived(`/api/v1/projects/${encodeURIComponent(this.id)}`)
  #waiting: (() => void)[] = []

  constructor() {
    about(() => (this.id === DEFAULT_PROJECT ? '' : this.id))
  }

  async look(): Promise<void> {
    try {
      await this.#enter(await get<Session>('/api/v1/session'))
    } catch (error) {
      if (error instanceof Problem && error.status === 401) this.who = null
      else throw error
    }
  }

  async signIn(name: string, password: string): Promise<void> {
    await this.#opened(await post<Session>('/api/v1/session', { name, password }))
  }

  /** Goes on where somebody has signed in in another tab. */
  async resume(): Promise<void> {
    if (this.ended) await this.#opened(await get<Session>('/api/v1/session'))
  }

  /** Reads anew which projects there are. */
  async readProjects(): Promise<void> {
    this.projects = await theirs()
  }

  /** Shows a page of another project. */
  enter(project: string, page = router.path, options: { replace?: boolean } = {}): void {
    router.go(page, { ...options, project })
  }

  /** The project is the one to begin with next time. */
  remember(): void {
    if (this.project && this.who) localStorage.setItem(`${LAST}.${this.who.person}`, this.id)
  }

  #usual(): string {
    const last = localStorage.getItem(`${LAST}.${this.who?.person ?? ''}`)
    const open = this.projects.filter((one) => !one.archived)
    return (open.find((one) => one.id === last) ?? open[0] ?? this.projects[0])?.id ?? DEFAULT_PROJECT
  }

  async #enter(now: Session): Promise<void> {
    const projects = await theirs()
    this.projects = projects // both at once: which project is the last one depends on who it is
    this.who = now
  }

  async #opened(now: Session): Promise<void> {
    const before = this.who
    if (this.ended && before && before.person !== now.person) {
      // Somebody else: what the first one left open must not go out under the second one's name.
      location.assign('/')
      return
    }
    await this.#enter(now)
    this.ended = false
    this.#waiting.splice(0).forEach((go) => go())
  }

  async signOut(): Promise<void> {
    await remove('/api/v1/session').catch((error: unknown) => {
      if (!(error instanceof Problem && error.status === 401)) throw error
    })
    location.assign('/')
  }

  /** Resolves once somebody is signed in again. */
  again(): Promise<void> {
    this.ended = true
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Whether they have one of the roles in the project. */
  has(...roles: Role[]): boolean {
    return roles.some((role) => this.project?.roles.includes(role))
  }
}

export const session = new Signed()

/** A call that waits for a new sign-in when the session has ended, then is sent again. */
export async function signedIn<T>(send: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await send()
    } catch (error) {
      if (!(error instanceof Problem && error.status === 401)) throw error
      await session.again()
    }
  }
}

