/** Short messages below the header, where they cover no button, also spoken by screen readers. */
import { Problem } from '../api/client'

export interface Notice {
  id: number
  kind: 'good' | 'bad'
  text: string
  remedy: string
}

class Notices {
  shown = $state<Notice[]>([])
  #next = 0

  /** What went well; it takes the place of what went well before. */
  say(text: string): void {
    this.shown = this.shown.filter(({ kind }) => kind !== 'good')
    this.#add('good', text, '', 4000)
  }

  /** An error stays until it is closed: it may say what to do. */
  fail(error: unknown): void {
    const known = error instanceof Problem
    this.#add('bad', known ? error.message : 'Something went wrong on this page.', known ? error.remedy : 'Reload it.')
    if (!known) console.error(error)
  }

  close(id: number): void {
    this.shown = this.shown.filter((notice) => notice.id !== id)
  }

  #add(kind: Notice['kind'], text: string, remedy: string, milliseconds?: number): void {
    const id = this.#next++
    this.shown = [...this.shown.filter((notice) => notice.text !== text), { id, kind, text, remedy }].slice(-4)
    if (milliseconds) setTimeout(() => this.close(id), milliseconds)
  }
}

export const notices = new Notices()
