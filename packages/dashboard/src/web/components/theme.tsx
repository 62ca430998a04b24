import { signal } from '@preact/signals'

const key = 'vivarium-theme'
const themes = ['system', 'light', 'dark'] as const
type Theme = (typeof themes)[number]

function stored(): Theme {
  const value = localStorage.getItem(key) as Theme | null
  return value !== null && themes.includes(value) ? value : 'system'
}

const theme = signal<Theme>(stored())
/** Rises whenever colours change, so that charts draw anew. */
export const themeChanges = signal(0)
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => themeChanges.value++)
apply(theme.value)

function apply(next: Theme): void {
  document.documentElement.style.colorScheme = next === 'system' ? 'light dark' : next
  localStorage.setItem(key, next)
  theme.value = next
  themeChanges.value++
}

export function ThemeSwitch() {
  const next = themes[(themes.indexOf(theme.value) + 1) % themes.length]!
  return (
    <button
      type="button"
      class="quiet"
      title={`Colours: ${theme.value}. Switch to ${next}`}
      onClick={() => apply(next)}
    >
      {theme.value === 'system' ? '◐ system' : theme.value === 'light' ? '○ light' : '● dark'}
    </button>
  )
}
