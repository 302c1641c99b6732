/** What changes of one's own assignments, told by the server as it happens. A window that nobody looks at does not
listen: it reads anew when it is looked at again, as after a lost connection. */
import type { Change } from '../api/types'

/** null: anything may have changed. */
type Hear = (change: Change | null) => void

const AGAIN = 15_000 // milliseconds, where the server refused or the session has ended

class Live {
  #hearers = new Set<Hear>()
  #source: EventSource | null = null
  #missed = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor() {
    document.addEventListener('visibilitychange', () => this.#listen())
  }

  /** Until the returned function is called. */
  hear(hearer: Hear): () => void {
    this.#hearers.add(hearer)
    this.#listen()
    return () => {
      this.#hearers.delete(hearer)
      this.#listen()
    }
  }

  #listen(): void {
    const wanted = this.#hearers.size > 0 && document.visibilityState === 'visible'
    if (!wanted && this.#source) {
      this.#source.close()
      this.#source = null
      this.#missed = this.#hearers.size > 0
    }
    if (!wanted || this.#source) return
    clearTimeout(this.#timer)
    const source = new EventSource('/api/v1/session/changes')
    this.#source = source
    source.onopen = () => {
      // The first time, pages have just been read.
      if (this.#missed) this.#tell(null)
      this.#missed = false
    }
    source.onerror = () => {
      this.#missed = true
      if (source.readyState !== EventSource.CLOSED) return // the browser tries again by itself
      this.#source = null
      this.#timer = setTimeout(() => this.#listen(), AGAIN)
    }
    source.addEventListener('assignment', (event) => this.#tell(JSON.parse(event.data as string) as Change))
    source.addEventListener('all', () => this.#tell(null))
  }

  #tell(change: Change | null): void {
    this.#hearers.forEach((hear) => hear(change))
  }
}

export const live = new Live()
