/** Whether the page of keys is open. */
export const help = $state({ open: false })
