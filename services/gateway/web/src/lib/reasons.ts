import type { Concern, RejectReason } from '../api/types'

/** Why a recommendation is rejected, by the digit that says it. */
export const REASONS: readonly { id: RejectReason; text: string; digit: string }[] = [
  { id: 'wrong_meaning', text: 'Wrong meaning', digit: '1' },
  { id: 'not_about_this_figure', text: 'Not about this figure', digit: '2' },
  { id: 'too_general', text: 'Too general', digit: '3' },
  { id: 'duplicate', text: 'Duplicate', digit: '4' },
]

/** Why a reviewer has to look, where not everything is looked at. */
export const LOOKS: Record<string, string> = {
  resubmitted: 'Was returned',
  bulk: 'Accepted in bulk',
  quality: 'Many came back lately',
  new: 'One of their first figures',
  drawn: 'Drawn at random',
}

/** Why a figure is put aside. */
export const CONCERNS: readonly { id: Concern; text: string }[] = [
  { id: 'bad_image', text: 'The picture is bad' },
  { id: 'wrong_legend', text: 'The legend is wrong' },
  { id: 'out_of_scope', text: 'It does not belong here' },
  { id: 'needs_an_expert', text: 'It needs an expert' },
]
