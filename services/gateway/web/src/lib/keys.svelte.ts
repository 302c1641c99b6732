/** The keys: what each does, which key it is, where it works. Remappable; single letters can be switched off. */

export type KeyName =
  | 'accept'
  | 'reject'
  | 'assertion'
  | 'next'
  | 'previous'
  | 'bulk'
  | 'add'
  | 'tagSelection'
  | 'undo'
  | 'redo'
  | 'newer'
  | 'submit'
  | 'nextFigure'
  | 'help'
  | 'asFirst'
  | 'asSecond'
  | 'asThird'
  | 'keepAll'
  | 'keepNone'

/** Where a key works. One key may do something else elsewhere. */
export type Place = 'everywhere' | 'tagging' | 'adjudication'

export const KEYS: readonly { name: KeyName; does: string; key: string; place: Place }[] = [
  { name: 'nextFigure', does: 'Next figure', key: 'n', place: 'everywhere' },
  { name: 'next', does: 'Next recommendation or difference', key: 'j', place: 'everywhere' },
  { name: 'previous', does: 'Previous recommendation or difference', key: 'k', place: 'everywhere' },
  { name: 'submit', does: 'Submit, approve or settle', key: 'Ctrl+Enter', place: 'everywhere' },
  { name: 'help', does: 'Show these keys', key: '?', place: 'everywhere' },
  { name: 'accept', does: 'Accept', key: 'a', place: 'tagging' },
  { name: 'reject', does: 'Reject (then 1 to 4 for a reason)', key: 'x', place: 'tagging' },
  { name: 'assertion', does: 'Present, uncertain or absent', key: 's', place: 'tagging' },
  { name: 'bulk', does: 'Accept all sure ones of the axis', key: 'A', place: 'tagging' },
  { name: 'add', does: 'Add a tag', key: '/', place: 'tagging' },
  { name: 'tagSelection', does: 'Tag the selected words of the legend', key: 't', place: 'tagging' },
  { name: 'undo', does: 'Undo', key: 'u', place: 'tagging' },
  { name: 'redo', does: 'Redo', key: 'U', place: 'tagging' },
  { name: 'newer', does: 'Show newer recommendations', key: 'r', place: 'tagging' },
  { name: 'asFirst', does: 'As A has it', key: '1', place: 'adjudication' },
  { name: 'asSecond', does: 'As B has it', key: '2', place: 'adjudication' },
  { name: 'asThird', does: 'As C has it', key: '3', place: 'adjudication' },
  { name: 'keepAll', does: 'Keep what differs', key: 'b', place: 'adjudication' },
  { name: 'keepNone', does: 'Drop what differs', key: 'x', place: 'adjudication' },
]

/** Whether two keys work in one place. */
function meet(one: KeyName, other: KeyName): boolean {
  const [place, there] = [one, other].map((name) => KEYS.find((key) => key.name === name)?.place)
  return place === there || place === 'everywhere' || there === 'everywhere'
}

const STORED = 'mitagger.keys'

interface Stored {
  keys: Partial<Record<KeyName, string>>
  letters: boolean
}

function stored(): Stored {
  try {
    return { keys: {}, letters: true, ...(JSON.parse(localStorage.getItem(STORED) ?? '{}') as Partial<Stored>) }
  } catch {
    return { keys: {}, letters: true }
  }
}

/** How a pressed key is written: 'a', 'A', 'Ctrl+Enter', '?'. */
export function written(event: KeyboardEvent): string {
  const held = `${event.ctrlKey || event.metaKey ? 'Ctrl+' : ''}${event.altKey ? 'Alt+' : ''}`
  return held + event.key
}

/** Whether the key belongs to what has the focus: text is being typed there. */
function typing(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null
  if (!element) return false
  if (element.isContentEditable || element.tagName === 'TEXTAREA' || element.tagName === 'SELECT') return true
  const kind = element.tagName === 'INPUT' ? (element as HTMLInputElement).type : ''
  return kind !== '' && !['checkbox', 'radio', 'button', 'range'].includes(kind)
}

class Keys {
  #stored = $state(stored())
  #listeners: { press(event: KeyboardEvent): void }[] = []

  constructor() {
    addEventListener('keydown', (event) => this.#press(event))
  }

  /** Whether keys that are one character work (WCAG 2.1.4); those with Ctrl always do. */
  get letters(): boolean {
    return this.#stored.letters
  }

  set letters(on: boolean) {
    this.#stored.letters = on
    this.#save()
  }

  of(name: KeyName): string {
    return this.#stored.keys[name] ?? (KEYS.find((key) => key.name === name)?.key as string)
  }

  /** The key as a hint to show; empty when it is switched off. */
  hint(name: KeyName): string {
    const key = this.of(name)
    return this.letters || key.length > 1 ? key : ''
  }

  /** Gives a key another meaning; what had it where both work gets the freed one. */
  remap(name: KeyName, key: string): void {
    const before = this.of(name)
    const changed: Partial<Record<KeyName, string>> = { [name]: key }
    const pushed = (from: KeyName, taken: string, given: string): void => {
      for (const other of KEYS) {
        if (other.name in changed || this.of(other.name) !== taken || !meet(from, other.name)) continue
        changed[other.name] = given
        // One that works everywhere may meet, with the freed key, what has that key elsewhere.
        pushed(other.name, given, taken)
      }
    }
    if (key !== before) pushed(name, key, before)
    this.#stored.keys = { ...this.#stored.keys, ...changed }
    this.#save()
  }

  reset(): void {
    this.#stored = { keys: {}, letters: true }
    this.#save()
  }

  /** What keys do while a page or dialog is there; only the newest is asked. Returns how to end it. */
  listen(actions: Partial<Record<KeyName, () => void>>, others: Record<string, () => void> = {}): () => void {
    const press = (event: KeyboardEvent): void => {
      const key = written(event)
      const named = KEYS.find(({ name }) => actions[name] && this.of(name) === key)
      const act = named ? actions[named.name] : others[key]
      if (!act) return
      event.preventDefault()
      act()
    }
    const listener = { press }
    this.#listeners.push(listener)
    return () => {
      this.#listeners = this.#listeners.filter((one) => one !== listener)
    }
  }

  #press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing) return
    const single = written(event).length === 1
    if (single && (!this.letters || typing(event.target))) return
    if (typing(event.target) && !(event.ctrlKey || event.metaKey)) return
    this.#listeners.at(-1)?.press(event)
  }

  #save(): void {
    localStorage.setItem(STORED, JSON.stringify(this.#stored))
  }
}

export const keys = new Keys()
