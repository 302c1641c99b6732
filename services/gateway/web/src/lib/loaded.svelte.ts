/** What a page asked for: still on its way, there, or failed with what to do. Older answers never replace newer ones. */
import { Problem } from '../api/client'
import { signedIn } from './session.svelte'

export class Loaded<T> {
  value = $state.raw<T | null>(null)
  problem = $state<Problem | null>(null)
  busy = $state(false)
  #asked = 0

  /** Asks again; what was there stays until the answer comes. */
  async ask(send: () => Promise<T>): Promise<void> {
    const mine = ++this.#asked
    this.busy = true
    try {
      const value = await signedIn(send)
      if (mine !== this.#asked) return
      this.value = value
      this.problem = null
    } catch (error) {
      if (mine !== this.#asked) return
      if (!(error instanceof Problem)) throw error
      this.problem = error
    } finally {
      if (mine === this.#asked) this.busy = false
    }
  }
}
