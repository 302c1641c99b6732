/** Light, dark, or as the system has it. */
export type Scheme = 'system' | 'light' | 'dark'

const KEY = 'mitagger.theme'
const system = matchMedia('(prefers-color-scheme: dark)')

class Theme {
  scheme = $state<Scheme>((localStorage.getItem(KEY) as Scheme | null) ?? 'system')

  constructor() {
    this.#apply()
    system.addEventListener('change', () => this.#apply())
  }

  get dark(): boolean {
    return this.scheme === 'dark' || (this.scheme === 'system' && system.matches)
  }

  choose(scheme: Scheme): void {
    this.scheme = scheme
    localStorage.setItem(KEY, scheme)
    this.#apply()
  }

  #apply(): void {
    document.documentElement.dataset['theme'] = this.dark ? 'dark' : 'light'
  }
}

export const theme = new Theme()
