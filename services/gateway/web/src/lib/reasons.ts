/** Why a recommendation is rejected, by the digit that says it. */
import type { RejectReason } from '../api/types'

export const REASONS: readonly { id: RejectReason; text: string; digit: string }[] = [
  { id: 'wrong_meaning', text: 'Wrong meaning', digit: '1' },
  { id: 'not_about_this_figure', text: 'Not about this figure', digit: '2' },
  { id: 'too_general', text: 'Too general', digit: '3' },
  { id: 'duplicate', text: 'Duplicate', digit: '4' },
]
