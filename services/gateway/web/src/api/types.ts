/** The API's shapes under the names that the pages use, from the committed OpenAPI document. */
import type { components } from './schema'

type Schemas = components['schemas']

export type Adjudication = Schemas['AdjudicationView']
export type Account = Schemas['AccountView']
export type AccountLink = Schemas['AccountLink']
export type Article = Schemas['ArticleView']
export type ApiKey = Schemas['KeyView']
export type Assignment = Schemas['AssignmentView']
export type AssignmentPage = Schemas['AssignmentPage']
export type AssignmentSummary = Schemas['AssignmentSummary']
export type AuditEntry = Schemas['AuditView']
export type AxisPreview = Schemas['Preview']
export type AxisRules = Schemas['AxisTable']
/** What a stream carries is not in the document: services/gateway/api/changes.py. */
export interface Change {
  assignment: string
  version: number
  state: State
  about?: 'recommendations' | 'adjudication' | null
}
export type Compared = Schemas['ComparedView']
export type Comment = Schemas['CommentView']
export type Concern = Schemas['ConcernBody']['reason']
export type Concept = Schemas['FoundConcept']
export type ConceptDetail = Schemas['ConceptDetail']
export type CreatedKey = Schemas['CreatedKey']
export type DeadLetter = Schemas['DeadLetterRef']
export type Decision = Schemas['DecisionView']
export type Erasure = Schemas['ErasureView']
export type Export = Schemas['Export']
export type Figure = Schemas['AnnotationFigureView']
export type FoundFigure = Schemas['FoundFigure']
export type Feedback = Schemas['FeedbackView']
export type Found = Schemas['Found']
export type Gold = Schemas['GoldView']
export type Guidelines = Schemas['GuidelinesView']
export type Lineage = Schemas['LineageView']
export type Member = Schemas['MemberView']
export type Left = Schemas['Left']
export type Move = Schemas['AnnotationMoveView']
export type Project = Schemas['ProjectView']
export type Plan = Schemas['PlanView']
export type Handout = Schemas['HandoutView']
export type Rules = Schemas['ProjectRules']
export type Measures = Schemas['MeasuresView']
export type Agreed = Schemas['Agreed']
export type Interval = Schemas['Interval']
export type Person = Schemas['AccountView']
export type Members = Schemas['MemberList']
export type Learned = Schemas['LearnedView']
export type BioPortalConsent = Schemas['ConsentView']
export type Scores = Schemas['ScoresView']
export type HistoryEntry = Schemas['HistoryView']
export type Import = Schemas['ImportView']
export type Newcomer = Schemas['NewcomerView']
export type OpenSession = Schemas['OpenSession']
export type PageView = Schemas['PageView']
export type ProposedErasure = Schemas['ProposedErasure']
export type Quarantined = Schemas['QuarantinedView']
export type Rectangle = Schemas['Rectangle']
export type Recommendation = Schemas['RecommendationView']
export type Reject = Schemas['RejectView']
export type JoinLink = Schemas['LinkView']
export type Session = Schemas['SessionView']
export type SignInMethods = Schemas['SignInMethods']
export type Standards = Schemas['StandardsView']
export type Status = Schemas['Status']
export type Stood = Schemas['StoodView']
export type StoredFigure = Schemas['IngestFigureView']
export type Tag = Schemas['Tag']
export type Difference = Schemas['DifferenceView']
export type VocabularySet = Schemas['SetView']
export type MappingSet = Schemas['MappingSetView']
export type MappingTargets = Schemas['MappingTargets']
export type MappingVersion = Schemas['MappingVersionView']
export type SkippedRow = Schemas['SkippedRowView']
export type VocabularyVersion = Schemas['VersionView']
export type Vocabulary = Schemas['VocabularyView']

export type WaitingFigure = Schemas['WaitingView']

export type Axis = Recommendation['axis']
export type Assertion = Recommendation['assertion']
export type Role = Session['roles'][number]
export type State = Assignment['state']
export type RejectReason = NonNullable<Decision['reason']>
export type Span = Schemas['Span']

/** What has a default need not be sent. */
type Accept = Omit<Schemas['Accept'], 'bulk'> & { bulk?: boolean }
export type Command = Accept | Schemas['Reject'] | Schemas['Add'] | Schemas['Withdraw']

export interface Page<Item> {
  items: Item[]
  next?: string | null
}
