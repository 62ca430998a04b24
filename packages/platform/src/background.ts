/** Starts a task nobody waits for; its failure goes to `onError` and is never lost. */
export function background(task: Promise<unknown>, onError: (error: Error) => void): void {
  task.catch(reason => onError(reason instanceof Error ? reason : new Error(String(reason))))
}
