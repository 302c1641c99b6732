/** Who is signed in. A session that ends in mid-work asks for the password over the page; nothing is lost. */
import { get, post, Problem, remove } from '../api/client'
import type { Role, Session } from '../api/types'

class Signed {
  /** undefined: not known yet; null: nobody. */
  who = $state<Session | null | undefined>(undefined)
  /** The session ended while somebody worked: their page stays, the password is asked over it. */
  ended = $state(false)
  #waiting: (() => void)[] = []

  async look(): Promise<void> {
    try {
      this.who = await get<Session>('/api/v1/session')
    } catch (error) {
      if (error instanceof Problem && error.status === 401) this.who = null
      else throw error
    }
  }

  async signIn(name: string, password: string): Promise<void> {
    this.#opened(await post<Session>('/api/v1/session', { name, password }))
  }

  /** Goes on where somebody has signed in in another tab. */
  async resume(): Promise<void> {
    if (this.ended) this.#opened(await get<Session>('/api/v1/session'))
  }

  #opened(now: Session): void {
    const before = this.who
    if (this.ended && before && before.person !== now.person) {
      // Somebody else: what the first one left open must not go out under the second one's name.
      location.assign('/')
      return
    }
    this.who = now
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

  has(...roles: Role[]): boolean {
    return roles.some((role) => this.who?.roles.includes(role))
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

